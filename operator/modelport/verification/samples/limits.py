"""Find out which lengths the source accepts, and where it ends."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from modelport.api.reasons import Reason
from modelport.api.spec import DimensionRange, Input
from modelport.errors import ModelportError
from modelport.verification.arrays import Tensors
from modelport.verification.samples.lengths import (
    LARGE,
    LARGE_BATCHES,
    Lengths,
    Options,
    declared_lengths,
    find_batch,
    free_dimensions,
    kept_lengths,
    long_lengths,
    lowest_length,
    steps_from,
    unit_of,
)
from modelport.verification.samples.probing import PATIENCE, Probe, Prober, stopwatch
from modelport.verification.samples.values import shape_of

Make = Callable[[Mapping[str, int]], Tensors]
"""Makes a question of these lengths."""

IMAGES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 96, 112, 160, 192, 224, 299, 320, 384, 480, 576, 640)
SEQUENCES = (2_048, 4_096, 8_192, 16_384)
"""Of sound, or of letters in genes; images of such sides are larger than what is asked."""
FIRST = IMAGES + SEQUENCES
"""Lengths that a model with limits of its own is tried with, until it accepts one."""
BISECTIONS = 10


class Cost(NamedTuple):
    """What one question may cost."""

    elements: int
    """Of inputs and outputs."""
    seconds: float


SMALL_BATCH = Cost(16 << 20, 20.0)
BATCH = Cost(2 << 20, 5.0)
LENGTH = Cost(4 << 20, 10.0)
DECLARED = Cost(64 << 20, 20.0)
"""What a user declares is asked, even where it takes long."""


class Search:
    """The search for all lengths; `make` makes questions."""

    def __init__(
        self, inputs: Sequence[Input], dimensions: Mapping[str, DimensionRange], make: Make, prober: Prober
    ) -> None:
        self._inputs, self._make, self._prober = inputs, make, prober
        self._declared = dimensions
        self._batch = find_batch(inputs)
        self._names = free_dimensions(inputs)

    def find_base(self) -> tuple[dict[str, int] | None, str]:
        """Return the smallest lengths that the source accepts, undeclared ones alike if it can be, or how it refused.

        Those that it answers with nothing at all are taken where no others are found.
        """
        fixed = {
            name: lowest_length(name, self._declared[name]) if name in self._declared else 1
            for name in self._names
            if name in self._declared or name == self._batch
        }
        free = [name for name in self._names if name not in fixed]
        # all of them alike; else each one alone, because states have a batch of their own name
        groups = [free, *([name] for name in free if len(free) > 1)]
        refusal, empty, spent = "", None, stopwatch()
        for group, length in itertools.product(groups, FIRST if free else FIRST[:1]):
            base = {name: length if name in group else fixed.get(name, 1) for name in self._names}
            if length > 1 and sum(math.prod(shape_of(each, base)) for each in self._inputs) > LENGTH.elements:
                continue
            if self._prober.is_hopeless or (empty and spent() > PATIENCE):
                break
            probe = self._ask(base)
            if probe.is_accepted and not probe.is_empty:
                return base, ""
            empty = empty or (base if probe.is_accepted else None)
            refusal = refusal or probe.refusal
        if empty is not None:
            return empty, ""
        if (
            self._batch in fixed
            and self._batch not in self._declared
            and self._ask({**base, self._batch: 2}).is_accepted
        ):
            message = (
                f"dimension {self._batch}: the source model accepts 2, but not 1: {refusal}; put it into evaluation "
                f"mode, or state spec.source.dimensions.{self._batch}.min: 2"
            )
            raise ModelportError(Reason.INPUTS_NEEDED, message)
        return None, refusal

    def find(self, base: Mapping[str, int]) -> Lengths:
        """Return all lengths to ask. Raises ModelportError (InputsNeeded) if the source refuses what is declared."""
        follows: dict[str, str] = {}
        options: dict[str, Options] = {}
        order = sorted(self._names, key=lambda name: name == self._batch)  # what follows the batch is found first
        for name in order:
            if name not in self._declared and name != self._batch:
                small = self._accepted(name, base, follows)
                leader = self._leader(name, base) if len(small) == 1 else None
                if leader:
                    follows[name] = leader
                    continue
                options[name] = Options(small, [])
            else:
                options[name] = Options(self._promised(name, base, follows), [])
        options = {name: options[name] for name in self._names if name in options}
        found = Lengths(options, follows, dict(base))
        wished = found.complete(
            found.companions() | ({self._batch: base[self._batch]} if self._batch in options else {})
        )
        if self._ask(wished).is_accepted:
            found = found._replace(company=wished)
        return found._replace(
            options={name: self._with_large(name, each.small, found) for name, each in options.items()}
        )

    def _ask(self, lengths: Mapping[str, int]) -> Probe:
        return self._prober.ask(self._make(lengths))

    def _at(self, company: Mapping[str, int], name: str, length: int, follows: Mapping[str, str]) -> Probe:
        others = {each: length for each, leader in follows.items() if leader == name}
        return self._ask({**company, name: length, **others})

    def _accepted(self, name: str, base: Mapping[str, int], follows: Mapping[str, str]) -> list[int]:
        start = base[name]
        # twice an accepted power of two suits nets that halve their input; odd lengths show wrong padding
        wished = {start + step for step in steps_from(start)} if start < LARGE else {start + 1}
        wished = wished | {2 * start}
        return sorted({start, *(each for each in wished if self._at(base, name, each, follows).is_accepted)})

    def _leader(self, name: str, base: Mapping[str, int]) -> str | None:
        for other in self._names:
            if other != name and base[other] == base[name] and other not in self._declared:
                length = base[name] + 1 if other == self._batch else 2 * base[name]
                if self._ask({**base, name: length, other: length}).is_accepted:
                    return other
        return None

    def _promised(self, name: str, base: Mapping[str, int], follows: Mapping[str, str]) -> list[int]:
        lengths = declared_lengths(name, self._declared.get(name, DimensionRange()), is_batch=name == self._batch)
        for length in lengths[1:]:
            probe = self._at(base, name, length, follows)
            if not probe.is_accepted:
                raise ModelportError(Reason.INPUTS_NEEDED, _broken_promise(name, base[name], length, probe.refusal))
        return lengths

    def _elements(self, found: Lengths, name: str, length: int) -> int:
        lengths = found.complete({**found.company, name: length})
        return sum(math.prod(shape_of(each, lengths)) for each in self._inputs)

    def _with_large(self, name: str, small: list[int], found: Lengths) -> Options:
        """Ask longer and longer until the end, a refusal, or the cost of the next one."""

        def at(length: int) -> Probe:
            return self._at(found.company, name, length, found.follows)

        limits, is_batch = self._declared.get(name, DimensionRange()), name == self._batch
        unit = limits.multiple_of if name in self._declared or is_batch else unit_of(small)
        large: list[int] = []
        length, last = small[-1], at(small[-1])
        for each in long_lengths(small, limits, unit, is_batch=is_batch):
            growth = self._elements(found, name, each) / self._elements(found, name, length)
            elements = self._elements(found, name, each) + growth * last.elements
            allowed = _allowed(limits, is_batch=is_batch, is_small=each <= LARGE_BATCHES[0])
            is_slow = last.seconds * growth > allowed.seconds
            if is_slow or elements > allowed.elements:
                longer = f"longer ones{f', up to {limits.max},' if limits.max else ''} take too long"
                is_told = is_slow or limits.max
                caveat = f"dimension {name}: lengths up to {length} were verified; {longer}" if is_told else ""
                return Options(small, kept_lengths(large, limits, is_batch=is_batch), caveat)
            probe = at(each)
            if not probe.is_accepted:
                if limits.max is not None:
                    raise ModelportError(Reason.INPUTS_NEEDED, _broken_promise(name, length, each, probe.refusal))
                largest = _find_end(at, length, each, unit)
                caveat = f"dimension {name}: the source refuses lengths above {largest}: {probe.refusal}"
                return Options(small, [largest] if largest > small[-1] else [], caveat)
            last, length = probe, each
            large.append(each)
        return Options(small, kept_lengths(large, limits, is_batch=is_batch))


def _find_end(at: Callable[[int], Probe], accepted: int, refused: int, unit: int) -> int:
    """Return the largest accepted length, after a few bisections."""
    step = unit  # most limits are lengths that were just accepted
    for _ in range(BISECTIONS):
        if refused - accepted <= unit:
            break
        middle = accepted + step
        if at(middle).is_accepted:
            accepted = middle
        else:
            refused = middle
        step = max(unit, (refused - accepted) // 2 // unit * unit)
    return accepted


def _allowed(limits: DimensionRange, *, is_batch: bool, is_small: bool) -> Cost:
    if limits.max is not None:
        return DECLARED
    if is_batch:
        return SMALL_BATCH if is_small else BATCH
    return LENGTH


def _broken_promise(name: str, accepted: int, refused: int, refusal: str) -> str:
    return (
        f"dimension {name}: the source model accepts {accepted}, but not {refused}: {refusal}; "
        f"state max or multipleOf under spec.source.dimensions.{name}, or a fixed length"
    )
