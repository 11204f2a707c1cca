"""Whether measured errors pass: pure, and free of numpy, because the operator judges stored evidence again.

The limit of an output follows from the source model's own noise, so that a deep network is not refused for what it
does to itself and a shallow one is not let off. A pass needs evidence: samples that the output does not react to
prove nothing.
"""

import difflib
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from modelport.api.reasons import Reason
from modelport.api.spec import Tolerance, Verification
from modelport.api.status import OutputStatus
from modelport.errors import ModelportError

SPREAD_LIMITS = 100.0
"""How many limits an output must differ between samples, so that an error could be seen."""
MAX_SPREAD = 0.3
"""Independent samples need not differ by more: what half precision, whose limits are wide, could not show."""
MIN_SPREAD = 5e-4
"""What is needed with a tolerance of the user's: 100 limits of float32."""
SPREAD_TOLERANCES = 2.0
NOISE_FLOORS = 20.0
"""An error beyond its limit, but within this many floors, is the source's own doing."""
MAX_LIMIT = 1e-4
"""The largest limit of float32, where it is less than these."""
MIN_FINITE = 0.9
"""Share of finite elements below which an output proves nothing."""
METRICS = ("agreement", "top1", "iou", "cosine")


class Evidence(Protocol):
    """What a judgement needs of stored or fresh facts."""

    @property
    def outputs(self) -> Sequence[OutputStatus]:
        """All outputs of the model."""

    @property
    def edges(self) -> str:
        """What differs on edges alone."""


class _Case(NamedTuple):
    """One output and what of the user's tolerance applies to it."""

    output: OutputStatus
    tolerance: Tolerance | None

    @property
    def is_label(self) -> bool:
        return self.output.agreement is not None

    @property
    def is_constant(self) -> bool:
        return self.output.comparison == "Constant"


def judge(evidence: Evidence, verification: Verification) -> ModelportError | None:
    """Return why the outputs, all of the model's, do not pass, or None if they do. The policy is the caller's business."""
    outputs = evidence.outputs
    misnamed = _misnamed(outputs, verification)
    if misnamed:
        return misnamed
    if not outputs:
        return ModelportError(Reason.VERIFICATION_INCONCLUSIVE, "expected at least one output to compare, found none")
    misfit = next((found for each in outputs if (found := _misfit(each, verification))), None)
    if misfit:
        return misfit
    cases = [_Case(each, _tolerance(each, verification)) for each in outputs]
    # a check of all outputs before the next check: a wrong answer outweighs a question that proves nothing
    findings = [finding for check in _WRONG for case in cases if (finding := check(case))]
    if not findings and evidence.edges and verification.edges == "Enforce":
        findings = [
            ModelportError(
                Reason.VERIFICATION_FAILED, f"on edges, which spec.verification.edges enforces: {evidence.edges}"
            )
        ]
    if not findings:
        findings = [finding for check in _UNPROVED for case in cases if (finding := check(case))]
    if not findings and all(case.is_constant for case in cases):
        findings = [_inconclusive("every output is the same for all samples")]
    return findings[0] if findings else None


def is_complete(outputs: Sequence[OutputStatus], verification: Verification) -> bool:
    """Return whether the evidence holds the metrics that the tolerances ask for; else the answers are measured again."""
    return all(
        name in each.metrics
        for each in outputs
        for name in wanted_metrics(each.name, verification)
        if not (name == "agreement" and each.agreement is not None)
    )


def wanted_metrics(name: str, verification: Verification) -> list[str]:
    """Return the metrics that the tolerance of an output asks for."""
    tolerance = verification.outputs.get(name, verification.tolerance) or Tolerance()
    return [metric for metric in METRICS if getattr(tolerance, metric) is not None]


def _tolerance(output: OutputStatus, verification: Verification) -> Tolerance | None:
    """Return what applies: of a tolerance for all outputs, only what has a meaning for this one."""
    tolerance = verification.outputs.get(output.name, verification.tolerance)
    if tolerance is None:
        return None
    measured = {metric: getattr(tolerance, metric) for metric in METRICS if _metric(output, metric) is not None}
    if output.agreement is not None:
        absolute = tolerance.absolute if output.name in verification.outputs else None
        applied = Tolerance(absolute=absolute, agreement=tolerance.agreement)
    else:
        applied = Tolerance(relative=tolerance.relative, absolute=tolerance.absolute, **measured)
    return None if applied == Tolerance() else applied


def _metric(output: OutputStatus, metric: str) -> float | None:
    text = output.agreement if metric == "agreement" else output.metrics.get(metric)
    number = math.nan if text is None else _number(text)
    return None if math.isnan(number) else number


def _misnamed(outputs: Sequence[OutputStatus], verification: Verification) -> ModelportError | None:
    names = [output.name for output in outputs]
    for name in verification.outputs:
        if name not in names:
            nearest = difflib.get_close_matches(name, names, n=1)
            meant = f"did you mean {nearest[0]}?" if nearest else f"the model has: {', '.join(names)[:300]}"
            return ModelportError(Reason.INVALID_SPEC, f"spec.verification.outputs.{name}: no such output; {meant}")
    return None


def _misfit(output: OutputStatus, verification: Verification) -> ModelportError | None:
    tolerance = verification.outputs.get(output.name)
    if tolerance is None:
        return None
    field = f"spec.verification.outputs.{output.name}"
    if tolerance.relative is not None and output.agreement is not None:
        message = f"{field}.relative: the output holds labels, which have no size; state agreement, or absolute"
        return ModelportError(Reason.INVALID_SPEC, message)
    for metric in wanted_metrics(output.name, verification):
        if _metric(output, metric) is None:
            message = f"{field}.{metric}: cannot be measured for this output ({_NEEDED[metric]})"
            return ModelportError(Reason.INVALID_SPEC, message)
    return None


_NEEDED = {
    "agreement": "it needs integers, booleans or strings",
    "top1": "it needs numbers, at least two along the last axis",
    "iou": "it needs boxes x1, y1, x2, y2 along the last axis",
    "cosine": "it needs numbers, at least two along the last axis",
}


def _differs_in_finiteness(case: _Case) -> ModelportError | None:
    if not case.output.non_finite:
        return None
    message = f"{case.output.non_finite} elements are NaN or infinite in one model and not, or otherwise, in the other"
    return ModelportError(Reason.VERIFICATION_FAILED, f"output {case.output.name}: {message}")


def _exceeds_tolerance(case: _Case) -> ModelportError | None:
    tolerance, output = case.tolerance, case.output
    if tolerance is None or case.is_constant:
        return None
    errors = (
        ("largest absolute error", output.max_absolute_error, tolerance.absolute),
        ("relative RMS error", output.relative_rms, tolerance.relative),
    )
    for measure, text, limit in errors:
        if limit is not None and _number(text) > limit:
            return _failed(case, f"{measure} {_number(text):.3g}, tolerance {limit:.3g}")
    for metric in METRICS:
        smallest, share = getattr(tolerance, metric), _metric(output, metric)
        if smallest is not None and share is not None and share < smallest:
            return _failed(case, f"{metric} {share:.6g}, tolerance at least {smallest:.6g}")
    return None


def _exceeds_noise(case: _Case) -> ModelportError | None:
    output = case.output
    excess, limit, floor = (_number(text) for text in (output.excess, output.limit, output.noise_floor))
    if case.is_label or (case.tolerance and not case.is_constant) or excess <= 1.0 or math.isnan(excess):
        return None
    if floor > limit:
        return None  # the limit means nothing then; another check tells
    if not output.worst and limit <= MAX_LIMIT and excess * limit <= NOISE_FLOORS * floor:
        return _unstable(case, f"the error {excess * limit:.3g} is within that noise, yet above what can be verified")
    where = output.worst or "all of it"
    return _failed(
        case,
        f"error of {excess:.3g} times its limit ({where}); relative RMS error {output.relative_rms}, limit {limit:.3g}",
    )


def _has_other_labels(case: _Case) -> ModelportError | None:
    share = _metric(case.output, "agreement")
    if share is None or share == 1.0 or (case.tolerance and not case.is_constant):
        return None
    field = f"spec.verification.outputs.{case.output.name}"
    what = f"{case.output.agreement} of the elements agree, all of them must"
    largest = _number(case.output.max_absolute_error)
    if largest == 1:
        what += f"; none differs by more than 1: if these are steps of quantized numbers, state {field}.absolute"
    flips = _number(case.output.noise_floor)
    if flips > 0.0 and 1.0 - share <= NOISE_FLOORS * flips:
        return _unstable(case, f"{what}; state agreement under {field}")
    return _failed(case, what)


def _has_no_numbers(case: _Case) -> ModelportError | None:
    share = _number(case.output.finite)
    if share < MIN_FINITE:
        return _inconclusive(
            f"output {case.output.name}: {1 - share:.0%} of the source model's own elements are NaN or infinite"
        )
    if math.isnan(share) or math.isnan(_number(case.output.excess)):
        return _inconclusive(f"output {case.output.name}: nothing was measured")
    return None


def _is_unstable(case: _Case) -> ModelportError | None:
    floor, limit = _number(case.output.noise_floor), _number(case.output.limit)
    if case.tolerance or case.is_label or case.is_constant or floor <= limit:
        return None
    return _unstable(case, f"at most {limit:.3g} can be verified")


def _shows_nothing(case: _Case) -> ModelportError | None:
    if case.is_constant:
        return None
    output, tolerance = case.output, case.tolerance
    varies = _number(output.spread)
    needed = MIN_SPREAD if tolerance else min(MAX_SPREAD, SPREAD_LIMITS * _number(output.limit))
    if case.is_label:
        needed = 0.0
    elif tolerance and tolerance.relative is not None:
        needed = max(needed, SPREAD_TOLERANCES * tolerance.relative)
    if varies > 0.0 and varies >= needed:
        return None
    return _inconclusive(
        f"output {output.name}: it differs between samples by a relative RMS of {varies:.3g}, needed: {needed:.3g}"
    )


_Check = Callable[[_Case], ModelportError | None]
_WRONG: tuple[_Check, ...] = (_differs_in_finiteness, _exceeds_tolerance, _exceeds_noise, _has_other_labels)
_UNPROVED: tuple[_Check, ...] = (_has_no_numbers, _is_unstable, _shows_nothing)


def _failed(case: _Case, what: str) -> ModelportError:
    return ModelportError(
        Reason.VERIFICATION_FAILED, f"output {case.output.name}: {what}; `modelport run` repeats it locally"
    )


def _unstable(case: _Case, what: str) -> ModelportError:
    message = (
        f"output {case.output.name}: the source model differs from itself by {_number(case.output.noise_floor):.3g} when "
        f"its inputs or weights move by one unit in the last place, or its batch is split: {what}"
    )
    return ModelportError(Reason.NUMERICALLY_UNSTABLE, message)


def _inconclusive(what: str) -> ModelportError:
    message = f"{what}, so equal answers prove nothing; set inputs[].values to real ranges, or give verification.data"
    return ModelportError(Reason.VERIFICATION_INCONCLUSIVE, message)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan  # evidence of another version; NaN passes no check
