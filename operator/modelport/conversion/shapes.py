"""Free dimensions made fixed: `spec.target.shapes`, for targets that have none, and for whoever wants none."""

from collections.abc import Mapping, Sequence

import msgspec

from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.api.status import Signature
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


def need_shapes(target: str, told: str, signature: Signature, lengths: Mapping[str, tuple[int, int]]) -> ModelportError:
    """Return the error (ShapesNeeded) for a target that cannot keep free dimensions, with shapes to copy: one row, else the longest.

    `target` is who cannot and `told` why; `lengths` are the shortest and longest that were asked, by free dimension.
    """
    free = [each for each in signature.inputs if any(isinstance(length, str) for length in each.shape)]
    shapes = {
        each.name: [
            length if isinstance(length, int) else 1 if axis == 0 else lengths.get(length, (1, 1))[1]
            for axis, length in enumerate(each.shape)
        ]
        for each in free
    }
    found = ", ".join(f"{each.name} [{', '.join(map(str, each.shape))}]" for each in free)
    stated = ", ".join(f"{name}: {shape}" for name, shape in shapes.items())
    message = (
        f"{FIELD}: expected fixed lengths, because {target} cannot keep these free ({told:.150}); "
        f"found {found:.120}; state for example shapes: {{{stated:.150}}}"
    )
    return ModelportError(Reason.SHAPES_NEEDED, message)


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
