"""Which lengths follow from the inputs' free ones: MXNet infers for two choices of these, and what differs is free."""

from collections.abc import Iterator, Mapping, Sequence

from modelport.api.reasons import Reason
from modelport.api.spec import DimensionRange, Input
from modelport.errors import ModelportError, describe_error, lacks_memory
from modelport_converter.frameworks.mxnet.symbols.model import Inferred, Model, infer

BATCHES = (2, 3)
BASES = (11, 45, 75, 160, 320)
"""Lengths to try for other dimensions: short sequences, small images, and what deep networks still divide."""
FAR = 3
"""How many times as long the second choice is, so that no rounding makes both equal."""


def probe(model: Model, dimensions: Mapping[str, DimensionRange]) -> tuple[Inferred, Inferred]:
    """Return what is inferred for two choices. Raises ModelportError (InputsNeeded) with what MXNet says of the first."""
    names = list(dict.fromkeys(each for one in model.inputs for each in one.shape if isinstance(each, str)))
    first: Exception | None = None
    for choices in _choices(names, model.inputs, dimensions):
        try:
            one, other = (infer(model, _fixed(model.inputs, choice)) for choice in choices)
        except Exception as error:  # MXNet's errors and ValueError
            if lacks_memory(error) or isinstance(error, ModelportError):
                raise
            first = first or error
            continue
        return one, other
    assert first
    free = f", or numbers in the place of {', '.join(names):.100}" if names else ""
    message = f"spec.source.inputs: expected shapes that fit the weights{free}; MXNet says: {describe_error(first)}"
    raise ModelportError(Reason.INPUTS_NEEDED, message) from first


def _choices(
    names: Sequence[str], inputs: Sequence[Input], dimensions: Mapping[str, DimensionRange]
) -> Iterator[list[dict[str, int]]]:
    """Yield pairs of lengths by name, none of which is equal to another."""
    batches = {each.shape[0] for each in inputs if each.shape}
    for base in BASES:
        for is_near in (False, True) if dimensions else (False,):
            found: list[dict[str, int]] = [{}, {}]
            for place, name in enumerate(names):
                limits = dimensions.get(name, DimensionRange())
                more = 2 * place * limits.multiple_of  # so that rounding to multiples keeps them apart
                wanted = BATCHES if name in batches and place == 0 else (base + more, FAR * base + more)
                found[0][name], found[1][name] = _apart(*wanted, limits, is_near=is_near)
            yield found
            yield [{name: _even(length, dimensions.get(name)) for name, length in choice.items()} for choice in found]


def _apart(one: int, other: int, limits: DimensionRange, *, is_near: bool) -> tuple[int, int]:
    """Return two lengths that are allowed, and not the same unless only one is; where both would be the largest, a smaller one."""
    one, other = _within(one, limits), _within(other, limits)
    if one != other:
        return one, other
    if limits.max is None or one + limits.multiple_of <= limits.max:
        return one, one + limits.multiple_of
    return one, _within(one - limits.multiple_of if is_near else one // FAR, limits)


def _within(length: int, limits: DimensionRange) -> int:
    """Return the length nearest to one that is allowed."""
    step = limits.multiple_of
    length = max(-(-max(length, limits.min) // step) * step, step)
    return min(length, limits.max // step * step) if limits.max is not None else length


def _even(length: int, limits: DimensionRange | None) -> int:
    """Return a length that halves many times, where nothing is said of it."""
    return length if limits is not None or length <= max(BATCHES) else -(-length // 32) * 32


def _fixed(inputs: Sequence[Input], lengths: Mapping[str, int]) -> dict[str, list[int]]:
    return {
        each.name: [lengths[length] if isinstance(length, str) else length for length in each.shape] for each in inputs
    }
