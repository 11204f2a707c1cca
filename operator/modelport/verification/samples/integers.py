"""Find out which integers the source accepts: the rows of a table, lengths up to an axis, or any number at all."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.errors import ModelportError
from modelport.verification.arrays import Array
from modelport.verification.samples.domains import Domain
from modelport.verification.samples.probing import Probe, Prober
from modelport.verification.samples.values import WIDE, dtype_of, make_tensors

FURTHEST = 1 << 30
GROWTH = 16
"""An answer that grows so many times, or takes so many times longer and a second, is made as long as the integer says."""
SECONDS = 1.0
SIZE = 16
"""The largest such integer asked."""


def ask_domains(
    inputs: Sequence[Input], domains: Mapping[str, Domain], lengths: Mapping[str, int], prober: Prober
) -> dict[str, Domain]:
    """Return the domains with those known that were not; the source accepts all inputs at their domains' first values.

    Lengths are the smallest that the source accepts.
    """
    found = dict(domains)
    for each in inputs:
        if not found[each.name].is_known:
            found[each.name] = _Search(inputs, found, each, prober).find(lengths)
        elif each.dtype in {"uint8", "int8"} and not found[each.name].is_stated:
            found[each.name] = _check_whole_type(inputs, found, each, lengths, prober)
        found[each.name] = found[each.name]._replace(columns=domains[each.name].columns, mask=domains[each.name].mask)
    return found


def _check_whole_type(
    inputs: Sequence[Input], domains: Mapping[str, Domain], each: Input, lengths: Mapping[str, int], prober: Prober
) -> Domain:
    whole = domains[each.name]
    search = _Search(
        inputs, {**domains, each.name: Domain("integer", 1, 1, is_known=False, columns=whole.columns)}, each, prober
    )
    ends = (whole.lowest, whole.highest)
    if whole.kind != "integer" or all(search.accepts(int(end or 0), lengths) for end in ends):
        return whole
    return search.find(lengths)


class _Search:
    """The search for one input's values, with all others as they are."""

    def __init__(self, inputs: Sequence[Input], domains: Mapping[str, Domain], each: Input, prober: Prober) -> None:
        self._inputs, self._domains, self._input, self._prober = inputs, domains, each, prober
        self._dtype = dtype_of(each.dtype)
        self._plain: Probe | None = None  # the first answer
        self._is_length = False  # whether an answer was as long as the integer says

    def find(self, lengths: Mapping[str, int]) -> Domain:
        first = int(self._domains[self._input.name].lowest or 0)
        start = next((value for value in (first, 0) if self.accepts(value, lengths)), None)
        if start is None:
            raise ModelportError(Reason.INPUTS_NEEDED, refuse_integers([self._input]))
        limits = np.iinfo(self._dtype)

        def accepts(value: int) -> bool:
            return self.accepts(value, lengths)

        highest = self._furthest(start, min(FURTHEST, int(limits.max)), accepts)
        lowest = self._furthest(start, max(-FURTHEST, int(limits.min)), accepts)
        if self._is_length:
            return Domain("integer", max(lowest, -SIZE), min(highest, SIZE), is_length=True)
        dimension = self._dimension(highest, lengths)
        if dimension:
            return Domain("integer", lowest, highest - lengths[dimension], dimension)
        return Domain("integer", lowest, highest, is_wrapping=0 < highest < WIDE and lowest == -highest - 1)

    def accepts(self, value: int, lengths: Mapping[str, int]) -> bool:
        """Return whether the source answers where all elements have this value, without an answer as long as it."""
        tensors = make_tensors(self._inputs, self._domains, lengths, 0)
        tensors[self._input.name] = self._full(tensors[self._input.name], value)
        probe = self._prober.ask(tensors)
        if not probe.is_accepted:
            return False
        plain = self._plain = self._plain or probe
        limit = GROWTH * plain.seconds + SECONDS
        is_long = probe.elements > GROWTH * max(1, plain.elements)
        is_slow = probe.seconds > limit and self._prober.ask(tensors).seconds > limit
        self._is_length |= is_long or is_slow
        return not (is_long or is_slow)

    def _full(self, array: Array, value: int) -> Array:
        """Return the array with this value, but for columns that the user has stated."""
        is_stated = np.array([column.is_stated for column in self._domains[self._input.name].by_column(array.shape)])
        return np.where(is_stated, array, self._dtype.type(value)).reshape(array.shape)

    def _furthest(self, start: int, limit: int, accepts: Callable[[int], bool]) -> int:
        """Return the accepted value that is furthest from `start` towards `limit`: by doubling steps, then by halving."""
        sign = 1 if limit > start else -1
        accepted, step = start, 1
        while accepted != limit:
            wished = sign * min(sign * limit, sign * start + step)
            if not accepts(wished):
                break
            accepted, step = wished, 2 * step
        else:
            return limit
        while abs(wished - accepted) > 1 and not self._is_length:  # where a length ends is of no interest
            middle = (wished + accepted) // 2
            accepted, wished = (middle, wished) if accepts(middle) else (accepted, middle)
        return accepted

    def _dimension(self, highest: int, lengths: Mapping[str, int]) -> str | None:
        """Return the free dimension that limits the values: where it is longer, so are they."""
        for name, length in lengths.items():
            if highest not in {length - 1, length}:
                continue
            for longer in (length + 1, 2 * length, 4 * length):
                wider = {**lengths, name: longer}
                if self.accepts(highest, wider):
                    if self.accepts(highest + longer - length, wider) and not self.accepts(highest + 1, lengths):
                        return name
                    break
        return None


def refuse_integers(inputs: Sequence[Input]) -> str:
    """Return what to say where the source accepts neither 0 nor 1 of these inputs."""
    names = ", ".join(each.name for each in inputs)[:60]
    return (
        f"input {names}: nothing tells which integers it takes, and the source accepts neither 0 nor 1; state them "
        f"under spec.source.inputs, such as {{name: {inputs[0].name}, dtype: {inputs[0].dtype}, "
        f"shape: {list(inputs[0].shape)}, values: {{range: [0, 99]}}}}"
    )[:330]
