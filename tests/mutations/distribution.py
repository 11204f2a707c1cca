"""All broken and all right conversions of the catalogue: what the tests judge and `make bench-gate` draws."""

import functools
import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import onnx

from modelport.verification.arrays import Tensors
from modelport.verification.calls import Infer
from modelport_server.execution import loading
from mutations.equivalents import FORMS
from mutations.gate import RUNTIME
from mutations.graphs import copied, hoisted
from mutations.mistakes import MISTAKES, OF_ROWS
from mutations.models import model_of

HARMLESS = {
    ("boxes_beside_scores", "pooling rounds down"): "an image of 64 leaves 62 rows to the pooling, which two divides",
    ("notes", "weights of two layers swapped"): "they give real and imaginary parts, of which the magnitude is taken",
}
"""By model and mistake, why the mistake changes no answer."""
UNSEEN = {
    ("voice", "one weight 1 % larger"): "the weight follows a unit that all samples leave asleep behind its ReLU",
}
"""By model and mistake, what the gate lets pass, and why."""
THREADS = (1, 2, 4)


class Candidate(NamedTuple):
    """One conversion of a model, or one way to run it."""

    name: str
    how: dict[str, Any]
    """What to pass the gate with."""


def broken_ones(model: str) -> Iterator[Candidate]:
    """Yield the model with each mistake that can be made in it and that samples show."""
    for mistake in MISTAKES:
        candidate = broken(model, mistake)
        if candidate is not None and (model, mistake) not in UNSEEN:
            yield Candidate(mistake, {"candidate": candidate})


def broken(model: str, mistake: str) -> onnx.ModelProto | None:
    """Return the model with the mistake, or None where it cannot be made, or changes no answer."""
    if (model, mistake) in HARMLESS or (mistake in OF_ROWS and not _has_rows(model)):
        return None
    candidate = copied(_base_of(model))
    return candidate if MISTAKES[mistake](candidate) else None


def right_ones(model: str) -> Iterator[Candidate]:
    """Yield the model loaded in each way, written otherwise, and asked with other batches."""
    proto = model_of(model).proto
    for options, threads in itertools.product(loading.find(RUNTIME).WAYS, THREADS):
        shown = ", ".join([*options.values(), f"{threads} threads"])
        yield Candidate(shown, {"candidate": proto, "options": options, "threads": threads})
    for name, form in FORMS.items():
        candidate = copied(_base_of(model))
        if form(candidate):
            yield Candidate(name, {"candidate": candidate})
    if all(each.shape[:1] == ["batch"] for each in model_of(model).inputs):
        yield Candidate("rows one by one", {"candidate": proto, "wrap": _one_by_one})
        yield Candidate("rows in company", {"candidate": proto, "wrap": _in_company})


@functools.lru_cache(maxsize=1)
def _base_of(model: str) -> onnx.ModelProto:
    return hoisted(model_of(model).proto)


def _has_rows(model: str) -> bool:
    return model_of(model).inputs[0].shape[0] == "batch"


def _one_by_one(infer: Infer) -> Infer:
    """Answer each row of a batch alone."""

    def split(inputs: Tensors) -> Tensors:
        count = len(next(iter(inputs.values())))
        answers = [infer({name: each[row : row + 1] for name, each in inputs.items()}) for row in range(count)]
        return {name: np.concatenate([each[name] for each in answers]) for name in answers[0]}

    return split


def _in_company(infer: Infer) -> Infer:
    """Answer rows with their mirror image behind them in one batch, as a server that joins requests does."""

    def joined(inputs: Tensors) -> Tensors:
        count = len(next(iter(inputs.values())))
        answers = infer({name: np.concatenate([each, each[::-1]]) for name, each in inputs.items()})
        return {name: each[:count] for name, each in answers.items()}

    return joined
