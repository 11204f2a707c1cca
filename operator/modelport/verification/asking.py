"""Ask the source the samples, and keep what it gives numbers for."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from modelport.api import State
from modelport.contract import ModelportError
from modelport.reasons import Reason
from modelport.verification.arrays import Array
from modelport.verification.calls import Infer, run_calls
from modelport.verification.errors import describe_error
from modelport.verification.reference import Answers, Sample
from modelport.verification.samples.plan import Calls
from modelport.verification.samples.probing import stopwatch

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


def ask_edges(edges: Sequence[Calls], run: Infer, states: Sequence[State]) -> tuple[list[Sample], list[str]]:
    """Return what the source answers at the edges, where it answers with a number at all, and what to tell."""
    samples: list[Sample] = []
    spent = stopwatch()
    for number, calls in enumerate(edges):
        if spent() > EDGE_SECONDS:
            return samples, [f"edges: {number} of {len(edges)} kinds were asked, because answers take long"]
        asked, _ = _try(calls, run, states)
        if asked is not None and _has_numbers(asked.outputs):
            samples.append(Sample(asked.calls, asked.outputs, is_edge=True))
    return samples, []


def _has_numbers(answers: Answers) -> bool:
    return any(_non_finite(array) < array.size for outputs in answers for array in outputs.values())


def _try(calls: Calls, run: Infer, states: Sequence[State]) -> tuple[Asked | None, str]:
    spent = stopwatch()
    try:
        return Asked(calls, run_calls(run, calls, states), spent()), ""
    except ModelportError:
        raise
    except Exception as error:  # noqa: BLE001  # a framework's errors have no common base; each one is the answer no
        return None, describe_error(error)


def _non_finite(array: Array) -> int:
    return 0 if array.dtype.kind in "biuO" else int(np.sum(~np.isfinite(array.astype(np.float64))))
