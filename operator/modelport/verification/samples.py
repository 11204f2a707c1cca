"""Questions for a model, made from its signature: seeded, of several sizes, within the values that it was made for."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from modelport.api import DimensionRange, Input
from modelport.contract import ModelportError
from modelport.reasons import Reason
from modelport.verification.arrays import Array, Tensors

Probe = Callable[[Tensors], object]
"""Asks the model; raises if it does not accept the question."""

SEED = 20_240_229
LARGEST_PROBE = 1_024
LARGE = 64
"""From this length on two lengths must do, because time and memory grow with their product."""
SMALL = 8
"""Up to this length some samples are of a size that the model meets at work, too."""
_STEPS = (0, 1, 3, 8)
_MORE_STEPS = 31
_WAVES = 3
Lengths = dict[str, list[int]]


def make_samples(
    inputs: Sequence[Input], dimensions: Mapping[str, DimensionRange], count: int, probe: Probe
) -> list[Tensors]:
    """Return `count` samples in which each free dimension takes at least two lengths, where its limits allow two.

    Lengths without limits are found by asking: 1 if the model accepts it, or else the first power of two.
    Raises ModelportError (InputsNeeded, InvalidSpec) if the model accepts nothing, or not what the limits promise.
    """
    lengths = _find_lengths(inputs, dimensions, probe)
    plans = {name: _cycle(options, count, number) for number, (name, options) in enumerate(lengths.items())}
    return [
        make_sample(inputs, {name: plan[number] for name, plan in plans.items()}, number) for number in range(count)
    ]


def make_sample(inputs: Sequence[Input], lengths: Mapping[str, int], number: int) -> Tensors:
    """Return one sample: the same numbers give the same sample, on every machine."""
    return {
        each.name: _values(each, _shape(each, lengths), np.random.default_rng([SEED, number, position]), number)
        for position, each in enumerate(inputs)
    }


def batch_dimension(inputs: Sequence[Input]) -> str | None:
    """Return the free dimension that comes first in all inputs, if there is one."""
    firsts = {each.shape[0] if each.shape else 0 for each in inputs}
    first = firsts.pop() if len(firsts) == 1 else 0
    return first if isinstance(first, str) else None


def _free_dimensions(inputs: Sequence[Input]) -> list[str]:
    return list(dict.fromkeys(length for each in inputs for length in each.shape if isinstance(length, str)))


def _find_lengths(inputs: Sequence[Input], dimensions: Mapping[str, DimensionRange], probe: Probe) -> Lengths:
    batch = batch_dimension(inputs)
    lengths: Lengths = {}
    for name in _free_dimensions(inputs):
        if name in dimensions or name == batch:
            lengths[name] = _within(name, dimensions.get(name, DimensionRange()), is_batch=name == batch)
        else:
            lengths[name] = []
    unlimited = [name for name, options in lengths.items() if not options]
    smallest = {name: options[0] if options else 1 for name, options in lengths.items()}
    if unlimited:
        base = _find_base(inputs, smallest, unlimited, probe)
        smallest |= dict.fromkeys(unlimited, base)
        for name in unlimited:
            # twice an accepted power of two suits nets that halve their input; odd lengths show wrong padding
            wished = {base + step for step in _steps(base)} if base < LARGE else set()
            accepted = [each for each in wished if not _refusal(inputs, smallest | {name: each}, probe)]
            lengths[name] = sorted({base, 2 * base, *accepted})
    _check_promises(inputs, lengths, smallest, probe)
    return lengths


def _within(name: str, limits: DimensionRange, *, is_batch: bool) -> list[int]:
    step = limits.multiple_of
    lowest = -(-limits.min // step) * step
    wished = [lowest + number * step for number in (range(4) if is_batch else _steps(lowest))]
    if not is_batch:
        wished = [*wished, -(-2 * lowest // step) * step] if lowest < LARGE else wished[:2]
    lengths = sorted({each for each in wished if limits.max is None or each <= limits.max})
    if not lengths:
        message = f"spec.source.dimensions.{name}: no multiple of {step} lies between {limits.min} and {limits.max}"
        raise ModelportError(Reason.INVALID_SPEC, message)
    return lengths


def _steps(lowest: int) -> tuple[int, ...]:
    return (*_STEPS, _MORE_STEPS) if lowest < SMALL else _STEPS


def _find_base(inputs: Sequence[Input], smallest: dict[str, int], unlimited: list[str], probe: Probe) -> int:
    refusal = ""
    length = 1
    while length <= LARGEST_PROBE:
        refusal = _refusal(inputs, smallest | dict.fromkeys(unlimited, length), probe)
        if not refusal:
            return length
        length *= 2
    message = (
        f"the source model accepts no length from 1 to {LARGEST_PROBE} of {', '.join(unlimited)}: {refusal}; "
        "state their limits under spec.source.dimensions, and check shape and dtype of the inputs"
    )
    raise ModelportError(Reason.INPUTS_NEEDED, message)


def _check_promises(inputs: Sequence[Input], lengths: Lengths, smallest: dict[str, int], probe: Probe) -> None:
    refusal = _refusal(inputs, smallest, probe)
    if refusal:
        found = ", ".join(f"{each.name} {each.dtype}{_shape(each, smallest)}" for each in inputs)[:200]
        message = f"the source model does not accept {found}: {refusal}; correct spec.source.inputs or dimensions"
        raise ModelportError(Reason.INPUTS_NEEDED, message)
    for name, options in lengths.items():
        for length in options[1:]:
            refusal = _refusal(inputs, smallest | {name: length}, probe)
            if refusal:
                message = (
                    f"dimension {name}: the source model accepts {smallest[name]}, but not {length}: {refusal}; "
                    f"state max or multipleOf under spec.source.dimensions.{name}, or a fixed length"
                )
                raise ModelportError(Reason.INPUTS_NEEDED, message)


def _refusal(inputs: Sequence[Input], lengths: Mapping[str, int], probe: Probe) -> str:
    try:
        probe(make_sample(inputs, lengths, 0))
    except ModelportError:
        raise
    except Exception as error:  # noqa: BLE001  # a framework's errors have no common base; each one is the answer no
        return f"{type(error).__name__}: {error!s:.160}"
    return ""


def _cycle(options: Sequence[int], count: int, position: int) -> list[int]:
    random = np.random.default_rng([SEED, position])
    rounds = (random.permutation(options) for _ in itertools.count())
    return [int(length) for length in itertools.islice(itertools.chain.from_iterable(rounds), count)]


def _shape(each: Input, lengths: Mapping[str, int]) -> list[int]:
    return [lengths[length] if isinstance(length, str) else length for length in each.shape]


def _values(each: Input, shape: list[int], random: np.random.Generator, number: int) -> Array:
    dtype = np.dtype(each.dtype)
    limits = each.values.range if each.values else None
    if limits and limits[0] > limits[1]:
        raise ModelportError(Reason.INVALID_SPEC, f"input {each.name}: values.range: {limits[0]} is above {limits[1]}")
    if dtype.kind == "f":
        return _real_values(shape, random, limits, is_smooth=bool(number % 2)).astype(dtype)
    return _whole_values(each, dtype, shape, random)


def _real_values(
    shape: list[int], random: np.random.Generator, limits: list[float] | None, *, is_smooth: bool
) -> Array:
    smooth = _waves(shape, random) if is_smooth and len(shape) > 2 else None  # noqa: PLR2004  # an image or a series
    if limits is None:
        noise = random.standard_normal(shape)
        return noise if smooth is None else 2.4 * smooth + 0.1 * noise
    share = random.random(shape) if smooth is None else 0.475 * (smooth + 1) + 0.05 * random.random(shape)
    return limits[0] + (limits[1] - limits[0]) * share


def _waves(shape: list[int], random: np.random.Generator) -> Array:
    """Return slow waves between -1 and 1 over the last two axes, other ones for each index of the axes before."""
    leading = (*shape[:-2], 1, 1)
    down, across = (
        np.linspace(0, 1, length).reshape(axes) for length, axes in zip(shape[-2:], ((-1, 1), (1, -1)), strict=True)
    )
    waves = [
        np.cos(
            2
            * np.pi
            * (random.uniform(0, 3, leading) * down + random.uniform(0, 3, leading) * across + random.random(leading))
        )
        for _ in range(_WAVES)
    ]
    total: Array = sum(waves, start=np.zeros(shape)) / _WAVES
    return total


def _whole_values(each: Input, dtype: np.dtype[Any], shape: list[int], random: np.random.Generator) -> Array:
    if each.values and each.values.range:
        lowest, highest = each.values.range
        smallest, largest = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if lowest < smallest or highest > largest:
            message = f"input {each.name}: values.range: expected within {smallest} and {largest} of {each.dtype}"
            raise ModelportError(Reason.INVALID_SPEC, message)
        return random.integers(int(np.ceil(lowest)), int(np.floor(highest)), size=shape, endpoint=True).astype(dtype)
    values = random.integers(0, 2, size=shape)
    if values.ndim:
        values[..., :1] = 1  # a mask that hides everything is a question that nobody asks
    return values.astype(dtype)
