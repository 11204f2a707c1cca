"""Free dimensions made fixed: `spec.target.shapes`, for targets that have none, and for whoever wants none."""

from collections.abc import Mapping, Sequence

import msgspec

from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.errors import ModelportError

FIELD = "spec.target.shapes"


def fix_shapes(inputs: Sequence[Input], shapes: Mapping[str, Sequence[int]]) -> list[Input]:
    """Return the inputs with the lengths of `shapes` (by input); a free dimension is as long wherever it stands.

    Raises ModelportError (InvalidSpec) for shapes that the inputs cannot have.
    """
    by_name = {each.name: each for each in inputs}
    lengths: dict[str, int] = {}
    for name, shape in shapes.items():
        if name not in by_name:
            message = f"{FIELD}.{name:.64}: the model has no such input, only {', '.join(by_name):.200}"
            raise ModelportError(Reason.INVALID_SPEC, message)
        _bind(by_name[name], shape, lengths)
    return [
        msgspec.structs.replace(
            each, shape=[lengths.get(length, length) if isinstance(length, str) else length for length in each.shape]
        )
        for each in inputs
    ]


def _bind(given: Input, shape: Sequence[int], lengths: dict[str, int]) -> None:
    """Add the lengths that one input's shape gives to its free dimensions."""
    told = ""
    is_right = len(shape) == len(given.shape)
    for length, dimension in zip(shape, given.shape, strict=True) if is_right else ():
        if isinstance(dimension, int):
            is_right &= length == dimension
        elif length < 1:
            is_right, told = False, " with lengths of 1 or more"
        elif lengths.setdefault(dimension, length) != length:
            is_right, told = False, f" with {dimension} = {lengths[dimension]}"
    if not is_right:
        message = f"{FIELD}.{given.name:.64}: expected {list(given.shape)}{told}, found {list(shape)}"
        raise ModelportError(Reason.INVALID_SPEC, message)
