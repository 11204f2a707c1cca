"""Ask the source the samples, and keep what it gives numbers for."""

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np

from modelport.api.base import Dtype
from modelport.api.reasons import Reason
from modelport.api.spec import State
from modelport.errors import ModelportError, describe_error, lacks_memory
from modelport.verification.arrays import Array
from modelport.verification.calls import Calls, Infer, run_calls
from modelport.verification.measure.precision import is_float
from modelport.verification.measure.sameness import is_other, noise_of
from modelport.verification.reference import Answers, Sample
from modelport.verification.samples.plan import Plan
from modelport.verification.samples.probing import stopwatch
from modelport.verification.source.moving import move_calls

STEADY = 4
"""How often a question near the end of a type is moved: by chance two large numbers move alike, and still cancel out."""
EDGE_SECONDS = 10.0
"""After which no more kinds are asked."""


class Asked(NamedTuple):
    """One question, and the answers."""

    calls: Calls
    outputs: Answers
    seconds: float

    @property
    def non_finite(self) -> int:
        """Number of elements that are NaN or infinite."""
        return sum(_non_finite(array) for outputs in self.outputs for array in outputs.values())


def ask_one(ways: Sequence[Calls], run: Infer, states: Sequence[State]) -> Asked:
    """Return the first way to ask that gets finite numbers, or else the one that gets most of them."""
    best: Asked | None = None
    refusal = ""
    for calls in ways:
        asked, why = _try(calls, run, states)
        refusal = refusal or why
        if asked is not None and (best is None or asked.non_finite < best.non_finite):
            best = asked
        if best is not None and not best.non_finite:
            break
    if best is None:
        found = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in ways[0][0].items())
        message = (
            f"the source model refuses {found:.120}: {refusal}; state the limits of lengths under "
            "spec.source.dimensions and of values under spec.source.inputs[].values"
        )
        raise ModelportError(Reason.INPUTS_NEEDED, message)
    return best


def ask_edges(plan: Plan, run: Infer, states: Sequence[State]) -> tuple[list[Sample], list[str]]:
    """Return what the source answers at the edges, where it answers with a number at all, and what to tell.

    Near the ends of types nearly every model's sums go beyond, and those that come back are noise: such a question is
    kept where the answer has numbers alone, and stays the same when the question moves by one unit in the last place.
    """
    samples: list[Sample] = []
    spent = stopwatch()
    for number, calls in enumerate((*plan.edges, *plan.ends)):
        if spent() > EDGE_SECONDS:
            count = len(plan.edges) + len(plan.ends)
            return samples, [f"edges: {number} of {count} kinds were asked, because answers take long"]
        asked, _ = _try(calls, run, states)
        is_end = number >= len(plan.edges)
        if asked is not None and (_is_steady(asked, run, states) if is_end else _has_numbers(asked.outputs)):
            samples.append(Sample(asked.calls, asked.outputs, is_edge=True))
    return samples, []


def _is_steady(asked: Asked, run: Infer, states: Sequence[State]) -> bool:
    return not asked.non_finite and all(_is_same_moved(asked, run, states, seed) for seed in range(STEADY))


def _is_same_moved(asked: Asked, run: Infer, states: Sequence[State], seed: int) -> bool:
    again, _ = _try(move_calls(asked.calls, np.random.default_rng(seed)), run, states)
    return again is not None and not any(
        is_other(array, other[name], max(noise_of("float32"), _rounding(array)))
        for one, other in zip(asked.outputs, again.outputs, strict=True)
        for name, array in one.items()
    )


def _rounding(array: Array) -> float:
    return noise_of(cast("Dtype", str(array.dtype))) if is_float(array.dtype) else 0.0


def _has_numbers(answers: Answers) -> bool:
    return any(_non_finite(array) < array.size for outputs in answers for array in outputs.values())


def _try(calls: Calls, run: Infer, states: Sequence[State]) -> tuple[Asked | None, str]:
    spent = stopwatch()
    try:
        return Asked(calls, run_calls(run, calls, states), spent()), ""
    except Exception as error:  # a framework's errors have no common base; each one is the answer no
        if isinstance(error, ModelportError) or lacks_memory(error):
            raise
        return None, describe_error(error)


def _non_finite(array: Array) -> int:
    return 0 if array.dtype.kind in "biuO" else int(np.sum(~np.isfinite(array.astype(np.float64))))
