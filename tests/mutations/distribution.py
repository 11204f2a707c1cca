"""All mistakes and all equivalents of the catalogue: what the tests judge and `make bench-gate` draws."""

import functools
import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import onnx

from modelport.verification.arrays import Tensors
from modelport.verification.calls import Infer
from modelport_server import backends
from mutations.equivalents import FORMS
from mutations.gate import RUNTIME, Verdict, pass_gate
from mutations.graphs import copied, hoisted
from mutations.mistakes import MISTAKES
from mutations.models import model_of

HARMLESS: dict[tuple[str, str], str] = {}
"""Mistakes that a model is proof against, by model and mistake, and why."""
THREADS = (1, 2, 4)


class Equivalent(NamedTuple):
    """A right conversion, or another way to run one."""

    name: str
    how: dict[str, Any]
    """What to pass the gate with."""


@functools.lru_cache(maxsize=1)
def base_of(model: str) -> onnx.ModelProto:
    return hoisted(model_of(model).proto)


def broken(model: str, mistake: str) -> onnx.ModelProto | None:
    """Return the model with the mistake, or None where it cannot be made, or is none."""
    if (model, mistake) in HARMLESS:
        return None
    candidate = copied(base_of(model))
    return candidate if MISTAKES[mistake](candidate) else None


def judge_mistake(model: str, mistake: str) -> Verdict | None:
    candidate = broken(model, mistake)
    return None if candidate is None else pass_gate(model, candidate)


def equivalents(model: str) -> Iterator[Equivalent]:
    """Yield the right conversions of a model."""
    proto = model_of(model).proto
    for options, threads in itertools.product(backends.ways(RUNTIME), THREADS):
        shown = ", ".join([*options.values(), f"{threads} threads"])
        yield Equivalent(shown, {"candidate": proto, "options": options, "threads": threads})
    for name, form in FORMS.items():
        candidate = copied(base_of(model))
        if form(candidate):
            yield Equivalent(name, {"candidate": candidate})
    if all(each.shape[:1] == ["batch"] for each in model_of(model).inputs):
        yield Equivalent("rows one by one", {"candidate": proto, "wrap": one_by_one})
        yield Equivalent("rows in company", {"candidate": proto, "wrap": in_company})


def one_by_one(infer: Infer) -> Infer:
    """Answer each row of a batch alone."""

    def split(inputs: Tensors) -> Tensors:
        count = len(next(iter(inputs.values())))
        answers = [infer({name: each[row : row + 1] for name, each in inputs.items()}) for row in range(count)]
        return {name: np.concatenate([each[name] for each in answers]) for name in answers[0]}

    return split


def in_company(infer: Infer) -> Infer:
    """Answer rows with their mirror image behind them in one batch, as a server that joins requests does."""

    def joined(inputs: Tensors) -> Tensors:
        count = len(next(iter(inputs.values())))
        answers = infer({name: np.concatenate([each, each[::-1]]) for name, each in inputs.items()})
        return {name: each[:count] for name, each in answers.items()}

    return joined
