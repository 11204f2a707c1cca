"""Which values an input takes, as far as that is known without asking the model."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from modelport.api import Input, State
from modelport.contract import ModelportError
from modelport.reasons import Reason
from modelport.verification.hints import Hint

Kind = Literal["real", "mask", "integer", "text", "state"]
MASK: Literal["mask"] = "mask"


class Domain(NamedTuple):
    """The values of one input."""

    kind: Kind
    lowest: float | None = None
    """None: without a limit."""
    highest: float | None = None
    dimension: str | None = None
    """Free dimension that `highest` counts from: a length lies below or at the length of its axis."""
    is_wrapping: bool = False
    """Whether negative values count from the end of a table, so that they mean nothing of their own."""
    is_known: bool = True
    """False: the model is to be asked."""
    is_length: bool = False
    """Whether answers grow, or take, as long as the integer says, so that none above `highest` is asked."""
    strings: tuple[str, ...] = ()
    categories: tuple[int, ...] = ()
    """The only integers to ask; empty: all from `lowest` to `highest`."""
    thresholds: tuple[tuple[float, ...], ...] = ()
    """By column, numbers at which the answers jump."""

    def bounds(self, lengths: Mapping[str, int]) -> tuple[int, int]:
        """Return lowest and highest integer where the free dimensions have these lengths."""
        lowest, highest = int(np.ceil(self.lowest or 0)), int(np.floor(self.highest or 0))
        if self.dimension:
            highest += lengths[self.dimension]
        return lowest, max(lowest, highest)


def known_domains(inputs: Sequence[Input], hints: Mapping[str, Hint], states: Sequence[State]) -> dict[str, Domain]:
    """Return the domain of each input, by what the user says, then by what the format tells, then by its type.

    Raises ModelportError (InvalidSpec for a range that cannot be, SamplesNeeded for strings that nobody knows).
    """
    fed = {state.input for state in states}
    return {
        each.name: Domain("state") if each.name in fed else _known(each, hints.get(each.name, Hint()))
        for each in inputs
    }


def _known(each: Input, hint: Hint) -> Domain:
    if each.dtype == "string":
        return Domain("text", strings=_vocabulary(each, hint))
    if each.values and each.values.range:
        return _given(each, each.values.range)._replace(thresholds=hint.thresholds)
    if each.dtype.startswith(("float", "bfloat")):
        return Domain("real", thresholds=hint.thresholds)
    return _whole(each, hint)


def _whole(each: Input, hint: Hint) -> Domain:
    if each.dtype == "bool" or hint.is_mask or (MASK in each.name.lower() and hint.highest is None):
        return Domain(MASK, 0, 1)
    if hint.highest is not None:
        lowest = hint.lowest or 0
        is_wrapping = lowest == -hint.highest - 1
        return Domain("integer", lowest, hint.highest, is_wrapping=is_wrapping, categories=hint.categories)
    if each.dtype in {"uint8", "int8"}:
        limits = np.iinfo(each.dtype)
        return Domain("integer", limits.min, limits.max)
    return Domain("integer", hint.lowest or 1, hint.lowest or 1, is_known=False)


def _given(each: Input, limits: Sequence[float]) -> Domain:
    lowest, highest = limits
    if lowest > highest:
        raise ModelportError(Reason.INVALID_SPEC, f"input {each.name}: values.range: {lowest} is above {highest}")
    if each.dtype.startswith(("float", "bfloat")):
        return Domain("real", lowest, highest)
    smallest, largest = (0, 1) if each.dtype == "bool" else (np.iinfo(each.dtype).min, np.iinfo(each.dtype).max)
    if lowest < smallest or highest > largest or np.ceil(lowest) > np.floor(highest):
        message = (
            f"input {each.name}: values.range: expected integers within {smallest} and {largest} of {each.dtype}, "
            f"found {lowest} to {highest}"
        )
        raise ModelportError(Reason.INVALID_SPEC, message)
    return Domain(MASK if each.dtype == "bool" and lowest < highest else "integer", lowest, highest)


def _vocabulary(each: Input, hint: Hint) -> tuple[str, ...]:
    if hint.strings:
        return hint.strings
    message = (
        f"input {each.name}: the model does not tell which strings it knows; put some into an npz, such as "
        f"numpy.savez('samples.npz', {each.name}=numpy.array([['red'], ['blue']])), and name it under "
        "spec.verification.data.uri"
    )
    raise ModelportError(Reason.SAMPLES_NEEDED, message)
