"""Names of free lengths, which Paddle's programs do not have: -1 stands for any."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, cast, get_args

import numpy as np

from modelport.api.base import Dimension, Dtype
from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.errors import ModelportError, lacks_memory
from modelport.verification.arrays import Tensors
from modelport.verification.calls import Infer
from modelport_converter.frameworks.paddle.reading.program import Value

DTYPES: tuple[str, ...] = get_args(Dtype)
BATCH = "batch"
TRIALS = (5, 64)
"""Smallest lengths of questions: short sequences, and images that are halved again and again."""
STEPS = {5: 1, 64: 32}


def name_lengths(value: Value) -> list[Dimension]:
    """Return the lengths of a value with a name for each free one: the first is the batch."""
    return [
        length if length >= 0 else BATCH if axis == 0 else f"{value.name}_{axis}"
        for axis, length in enumerate(value.shape)
    ]


def find_inputs(values: Sequence[Value], given: Sequence[Input], run: Infer) -> list[Input]:
    """Return the inputs; free lengths of several that the model takes only alike have one name.

    Raises ModelportError: InvalidSpec for a name that the model does not have, ConversionFailed for an element type that
    cannot be served.
    """
    said = {each.name: each for each in given}
    unknown = set(said) - {each.name for each in values}
    if unknown:
        message = f"spec.source.inputs: the model has no input {', '.join(sorted(unknown)):.200}"
        found = ", ".join(each.name for each in values)
        raise ModelportError(Reason.INVALID_SPEC, f"{message}; it has {found:.200}")
    for each in values:
        if each.dtype not in DTYPES:
            message = f"input {each.name:.100}: expected one of {', '.join(DTYPES)}, found {each.dtype}"
            raise ModelportError(Reason.CONVERSION_FAILED, message)
    names: dict[int, Dimension] = {}
    alone = {each.name: name_lengths(each) for each in values}
    alike = {
        each.name: [
            names.setdefault(axis, length) if isinstance(length, str) else length
            for axis, length in enumerate(alone[each.name])
        ]
        for each in values
    }
    shapes = alone if alone == alike or _takes(values, alone, run) or not _takes(values, alike, run) else alike
    return [
        said.get(each.name) or Input(name=each.name, dtype=cast("Dtype", each.dtype), shape=shapes[each.name])
        for each in values
    ]


def _takes(values: Sequence[Value], shapes: Mapping[str, Sequence[Dimension]], run: Infer) -> bool:
    """Whether the model answers where lengths of different names differ."""
    return any(_answers(_question(values, shapes, first), run) for first in TRIALS)


def _question(values: Sequence[Value], shapes: Mapping[str, Sequence[Dimension]], first: int) -> Tensors:
    numbers, lengths = count(first, STEPS[first]), dict[Any, int]({BATCH: 2})
    asked = {}
    for each in values:
        shape = [
            length if isinstance(length, int) else lengths.get(length) or lengths.setdefault(length, next(numbers))
            for length in shapes[each.name]
        ]
        asked[each.name] = np.ones(shape, each.dtype)
    return asked


def _answers(question: Tensors, run: Infer) -> bool:
    try:
        run(question)
    except Exception as error:  # of no common base; each one is the answer no
        if lacks_memory(error):
            raise
        return False
    return True
