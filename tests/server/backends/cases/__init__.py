"""Models for the suite that every backend must pass (`test_backend_contract`): one file per runtime, by its name.

It has `cases(folder)`: each element type that the backend takes or gives must be in one of them.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from modelport.api.status import Signature
from modelport.verification.arrays import Array, Tensors
from modelport_server.protocol.datatypes import BY_DTYPE
from server.models import identity


class Case(NamedTuple):
    """A model, two questions whose answers differ, and what answers right."""

    name: str
    folder: Path
    files: list[str]
    signature: Signature
    questions: tuple[Tensors, Tensors]
    answer: Callable[[Tensors], Tensors]
    tolerance: float = 0.0
    """Absolute."""


def cases_of(runtime: str, folder: Path) -> list[Case]:
    """Return the cases of a runtime, written into `folder`."""
    found: list[Case] = import_module(f"{__name__}.{runtime}").cases(folder)
    return found


def identity_case(name: str, folder: Path, files: list[str], signature: Signature) -> Case:
    """Return a case of `models.identity`: outputs are the inputs."""

    def answer(inputs: Tensors) -> Tensors:
        return {f"{each}_out": array for each, array in inputs.items()}

    questions = tuple({each.name: values(each.dtype, seed) for each in signature.inputs} for seed in (1, 2))
    return Case(name, folder, files, signature, questions, answer)  # type: ignore[arg-type]


def identity_of(dtypes: list[str]) -> Signature:
    """Return a signature with an input of each type, called like it."""
    return identity(*((dtype, dtype, ["n", 3]) for dtype in dtypes))


def values(dtype: str, seed: int) -> Array:
    """Return four rows of a type."""
    kind = BY_DTYPE[dtype].numpy
    numbers: Any = np.random.default_rng(seed).integers(0, 2 if dtype == "bool" else 100, (4, 3))
    return np.vectorize(lambda each: f"ü{each}", otypes=[object])(numbers) if kind.hasobject else numbers.astype(kind)
