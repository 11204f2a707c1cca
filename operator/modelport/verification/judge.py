"""Whether measured errors pass: pure, and free of numpy, because the operator judges stored evidence again.

The limit of an output follows from the source model's own noise, so that a deep network is not refused for what it
does to itself and a shallow one is not let off. A pass needs evidence: samples that the output does not react to
prove nothing.
"""

import difflib
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from modelport.api import OutputStatus, Tolerance, Verification
from modelport.reasons import Reason

MIN_LIMIT = 5e-6
"""Relative RMS that float32 arithmetic alone explains; float16 weights give at least 7e-4."""
LIMIT_FLOORS = 20.0
UNSTABLE_FLOOR = 1e-3
SPREAD_LIMITS = 100.0
"""How many limits the output must differ between samples, so that an error could be seen."""
SPREAD_TOLERANCES = 2.0
"""The same for a tolerance of the user's: a constant answer must not pass by it."""


class Finding(NamedTuple):
    """Why errors do not pass."""

    reason: Reason
    message: str


class _Case(NamedTuple):
    """One output and the tolerance that the user set for it."""

    output: OutputStatus
    tolerance: Tolerance | None

    @property
    def noise_limit(self) -> float:
        return max(MIN_LIMIT, LIMIT_FLOORS * _number(self.output.noise_floor))

    @property
    def relative(self) -> float | None:
        return self.tolerance.relative if self.tolerance else None

    @property
    def absolute(self) -> float | None:
        return self.tolerance.absolute if self.tolerance else None

    @property
    def is_label(self) -> bool:
        return self.output.agreement is not None


def judge(outputs: Sequence[OutputStatus], verification: Verification) -> Finding | None:
    """Return why `outputs`, all of the model's, do not pass, or None if they do. The policy is the caller's business."""
    misnamed = _misnamed(outputs, verification)
    if misnamed:
        return misnamed
    if not outputs:
        return Finding(Reason.VERIFICATION_INCONCLUSIVE, "expected at least one output to compare, found none")
    cases = [_Case(each, _tolerance(each.name, verification)) for each in outputs]
    # a check of all outputs before the next check: a wrong answer outweighs a question that proves nothing
    findings = (check(case) for check in _CHECKS for case in cases)
    return next((finding for finding in findings if finding), None)


def _tolerance(name: str, verification: Verification) -> Tolerance | None:
    tolerance = verification.outputs.get(name, verification.tolerance)
    return None if tolerance is None or tolerance == Tolerance() else tolerance


def _misnamed(outputs: Sequence[OutputStatus], verification: Verification) -> Finding | None:
    names = [output.name for output in outputs]
    for name in verification.outputs:
        if name not in names:
            nearest = difflib.get_close_matches(name, names, n=1)
            meant = f"did you mean {nearest[0]}?" if nearest else f"the model has: {', '.join(names)[:300]}"
            return Finding(Reason.INVALID_SPEC, f"spec.verification.outputs.{name}: no such output; {meant}")
    return None


def _differs_in_finiteness(case: _Case) -> Finding | None:
    if not case.output.non_finite:
        return None
    message = f"{case.output.non_finite} elements are NaN or infinite in one model and not, or otherwise, in the other"
    return Finding(Reason.VERIFICATION_FAILED, f"output {case.output.name}: {message}")


def _exceeds_absolute(case: _Case) -> Finding | None:
    error = _number(case.output.max_absolute_error)
    if case.absolute is None or error <= case.absolute:
        return None
    return _failed(case, "largest absolute error", error, case.absolute)


def _exceeds_relative(case: _Case) -> Finding | None:
    error = _number(case.output.relative_rms)
    if case.relative is None or error <= case.relative or math.isnan(error):
        return None
    return _failed(case, "relative RMS error", error, case.relative)


def _exceeds_noise(case: _Case) -> Finding | None:
    error = _number(case.output.relative_rms)
    if case.tolerance or case.is_label or error <= case.noise_limit or math.isnan(error):
        return None
    if _number(case.output.noise_floor) > UNSTABLE_FLOOR:
        return None  # the limit means nothing then; the next check tells
    return _failed(case, "relative RMS error", error, case.noise_limit)


def _is_unstable(case: _Case) -> Finding | None:
    floor = _number(case.output.noise_floor)
    if case.tolerance or floor <= UNSTABLE_FLOOR:
        return None
    message = (
        f"output {case.output.name}: the source model differs from itself by a relative RMS of {floor:.3g} when its "
        f"inputs move by one unit in the last place or its batch is split; at most {UNSTABLE_FLOOR:.3g} can be verified"
    )
    return Finding(Reason.NUMERICALLY_UNSTABLE, message)


def _has_other_labels(case: _Case) -> Finding | None:
    if case.output.agreement is None or case.tolerance:
        return None
    share = _number(case.output.agreement)
    if share == 1.0 or math.isnan(share):
        return None
    message = f"output {case.output.name}: {case.output.agreement} of the elements agree, all of them must"
    return Finding(Reason.VERIFICATION_FAILED, message)


def _has_no_numbers(case: _Case) -> Finding | None:
    if not math.isnan(_number(case.output.relative_rms)):
        return None
    return _inconclusive(case, "the source model's answers are empty, or have no finite element")


def _shows_nothing(case: _Case) -> Finding | None:
    varies = _number(case.output.spread)
    needed = 0.0 if case.is_label else SPREAD_LIMITS * (MIN_LIMIT if case.tolerance else case.noise_limit)
    if case.relative is not None:
        needed = max(needed, SPREAD_TOLERANCES * case.relative)
    if varies > 0.0 and varies >= needed:
        return None
    if varies == 0.0:
        return _inconclusive(case, "the output is the same for all samples")
    return _inconclusive(case, f"it differs between samples by a relative RMS of {varies:.3g}, needed: {needed:.3g}")


_CHECKS: tuple[Callable[[_Case], Finding | None], ...] = (
    _differs_in_finiteness,
    _exceeds_absolute,
    _exceeds_relative,
    _exceeds_noise,
    _has_other_labels,
    _has_no_numbers,
    _is_unstable,
    _shows_nothing,
)


def _failed(case: _Case, measure: str, error: float, limit: float) -> Finding:
    message = f"output {case.output.name}: {measure} {error:.3g}, limit {limit:.3g}; `modelport run` repeats it locally"
    return Finding(Reason.VERIFICATION_FAILED, message)


def _inconclusive(case: _Case, why: str) -> Finding:
    message = f"output {case.output.name}: {why}, so equal answers prove nothing; set inputs[].values to real ranges"
    return Finding(Reason.VERIFICATION_INCONCLUSIVE, message)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan  # evidence of another version; NaN passes no check
