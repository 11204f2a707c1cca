"""Which lengths the free dimensions are asked with: small ones, one that is long, and the ends of what is declared."""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from modelport.api.reasons import Reason
from modelport.api.spec import DimensionRange, Input
from modelport.errors import ModelportError
from modelport.verification.samples.values import SEED

STEPS = (0, 1, 3, 8)
MORE_STEPS = 31
SMALL = 8
LARGE = 64
"""From this length on fewer lengths must do, because time and memory grow with their product."""
LONG = (160, 256, 512, 1_024)
BATCH_STEPS = 3
LARGE_BATCHES = (11, 33)
"""Above what models split or test their batch by (8, 16, 32), and no power of two."""


class Options(NamedTuple):
    """Lengths of one free dimension."""

    small: list[int]
    """Asked in every combination with others' small ones."""
    large: list[int]
    """Asked one dimension at a time."""
    caveat: str = ""


class Lengths(NamedTuple):
    """Lengths of all free dimensions."""

    options: dict[str, Options]
    follows: dict[str, str]
    """Dimensions that are always as long as another one, because the source accepts nothing else."""
    company: dict[str, int]
    """Lengths of the others while one is large."""

    def complete(self, lengths: Mapping[str, int]) -> dict[str, int]:
        """Return the lengths with those of the dimensions that follow another one."""
        return {**lengths, **{name: lengths[leader] for name, leader in self.follows.items()}}

    def companions(self) -> dict[str, int]:
        """Return small lengths that are not the smallest."""
        return self.complete({name: each.small[min(2, len(each.small) - 1)] for name, each in self.options.items()})

    def plan(self, count: int) -> list[dict[str, int]]:
        """Return the lengths of `count` samples: small ones in turn, then each large one among small ones."""
        large = [(name, length) for name, each in self.options.items() for length in each.large]
        slots = min(len(large), count // 2)
        cycles = {
            name: _cycle(each.small, count - slots, position)
            for position, (name, each) in enumerate(self.options.items())
        }
        small = [{name: cycle[number] for name, cycle in cycles.items()} for number in range(count - slots)]
        wide = [self.company | dict(large[slot::slots]) for slot in range(slots)]
        return [self.complete({name: each[name] for name in self.options}) for each in (*small, *wide)]


def free_dimensions(inputs: Sequence[Input]) -> list[str]:
    """Return the names of the free dimensions, in order."""
    return list(dict.fromkeys(length for each in inputs for length in each.shape if isinstance(length, str)))


def find_batch(inputs: Sequence[Input]) -> str | None:
    """Return the free dimension that is called a batch, or else the one that comes first in all inputs with axes."""
    named = next((name for name in free_dimensions(inputs) if "batch" in name.lower()), None)
    firsts = {each.shape[0] for each in inputs if each.shape}
    first = next(iter(firsts)) if len(firsts) == 1 else None
    return named or (first if isinstance(first, str) else None)


def steps_from(lowest: int) -> tuple[int, ...]:
    """Return what is added to the lowest length."""
    return (*STEPS, MORE_STEPS) if lowest < SMALL else STEPS


def lowest_length(name: str, limits: DimensionRange) -> int:
    """Return the smallest declared length. Raises ModelportError (InvalidSpec) if there is none."""
    lowest = -(-limits.min // limits.multiple_of) * limits.multiple_of
    if limits.max is not None and lowest > limits.max:
        message = (
            f"spec.source.dimensions.{name}: no multiple of {limits.multiple_of} lies between {limits.min} and "
            f"{limits.max}"
        )
        raise ModelportError(Reason.INVALID_SPEC, message)
    return lowest


def declared_lengths(name: str, limits: DimensionRange, *, is_batch: bool) -> list[int]:
    """Return small lengths that a model must accept by its declaration; a batch needs none."""
    step, lowest = limits.multiple_of, lowest_length(name, limits)
    if is_batch:
        wished = [lowest + number * step for number in range(BATCH_STEPS)]
    else:
        wished = [lowest + number * step for number in steps_from(lowest)]
        wished = [*wished, -(-2 * lowest // step) * step] if lowest < LARGE else wished[:2]
    return sorted({each for each in wished if limits.max is None or each <= limits.max})


def unit_of(small: Sequence[int]) -> int:
    """Return the step between lengths that a model accepts: 1, or its smallest one where it accepts no odd ones."""
    return 1 if any(length % small[0] for length in small) or small[0] == 1 else small[0]


def long_lengths(small: Sequence[int], limits: DimensionRange, unit: int, *, is_batch: bool) -> list[int]:
    """Return lengths beyond the small ones, up to the declared end or to the longest that is asked without one."""
    steps = LARGE_BATCHES if is_batch else LONG
    wished = [-(-step // unit) * unit for step in steps]
    if limits.max is not None:
        end = limits.max // unit * unit
        wished = [*(each for each in wished if each < end), end]
        if not is_batch:
            doubled = itertools.takewhile(lambda each: each < end, (1_024 << number for number in range(1, 32)))
            wished = sorted({*wished, *(-(-each // unit) * unit for each in doubled if each <= end)})
    elif small[-1] >= wished[-1]:
        wished = [2 * small[-1]]
    return [each for each in wished if each > small[-1]]


def kept_lengths(large: list[int], limits: DimensionRange, *, is_batch: bool) -> list[int]:
    """Return the longest, and of a declared batch the large ones below its end, too."""
    if is_batch and limits.max is not None and len(large) > 1 and large[-1] not in LARGE_BATCHES:
        return large[-2:]
    return large[-1:]


def _cycle(options: Sequence[int], count: int, position: int) -> list[int]:
    random = np.random.default_rng([SEED, position])
    rounds = (random.permutation(options) for _ in itertools.count())
    return [int(length) for length in itertools.islice(itertools.chain.from_iterable(rounds), count)]
