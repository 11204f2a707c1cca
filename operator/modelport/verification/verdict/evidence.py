"""Measure the converted model's answers against the source's: what judge judges.

Nothing here opens a model. What cannot be measured (other names, order, types or shapes) fails here.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from modelport.api.spec import DimensionRange
from modelport.api.status import OutputStatus, Signature
from modelport.jobs.requests import ConvertRequest
from modelport.jobs.results import VerificationFacts
from modelport.storage.manifests import Lengths
from modelport.verification.answers import Tried
from modelport.verification.measure import decimal, difference, same, share_text, spread
from modelport.verification.measure.detectors import detector_of
from modelport.verification.measure.metrics import metric
from modelport.verification.measure.numbers import Rule
from modelport.verification.reference import Reference
from modelport.verification.verdict.companies import joined_dimension
from modelport.verification.verdict.golden import Golden, choose_golden
from modelport.verification.verdict.judgement import NOISE_FLOORS, wanted_metrics
from modelport.verification.verdict.rows import describe_edges, has_independent_rows
from modelport.verification.verdict.rules import Call, Rules, align_calls, make_rules, pair_calls, repeats_by_kind
from modelport.verification.verdict.structure import check_structure

Comparison = Literal["Numbers", "Softmax", "Sigmoid", "Labels", "Constant", "Detections"]


class Evidence(NamedTuple):
    """What was measured, the worst output first, and what follows for the artifact."""

    facts: VerificationFacts
    golden: list[Golden]
    has_independent_rows: bool
    lengths: dict[str, Lengths]


def evaluate(reference: Reference, tried: Tried, signature: Signature, request: ConvertRequest) -> Evidence:
    """Return the measured errors of the answers in `tried`, which are as many as `reference` has samples and calls.

    Raises ModelportError: VerificationFailed for answers that cannot be compared, ConversionFailed for a signature
    that the source model's own answers contradict.
    """
    detector = detector_of(reference)
    check_structure(reference, tried, signature, dict.fromkeys(detector.outputs, detector.axis) if detector else {})
    answered = list(zip(reference.samples, tried.samples, strict=True))
    calls = align_calls(
        [call for sample, answers in answered if not sample.is_edge for call in pair_calls(sample, answers)], detector
    )
    rules = make_rules(calls, reference, signature, detector)
    outputs = [
        _numbers_status(name, calls, rules, request)
        if name in rules.numbers
        else _labels_status(name, calls, rules, request)
        for name in calls[0].expected
    ]
    is_independent = has_independent_rows(tried.companies, rules, calls[0].expected)
    facts = VerificationFacts(
        samples=len(reference.usual),
        caveats=list(reference.caveats),
        outputs=sorted(outputs, key=_badness, reverse=True),
        max_absolute_error=decimal(max(float(output.max_absolute_error) for output in outputs)),
        edges=describe_edges([(sample, answers) for sample, answers in answered if sample.is_edge], rules),
    )
    golden = choose_golden(
        [(sample.inputs, answers) for sample, answers in answered if not sample.is_edge],
        _golden_tolerances(calls, rules),
        detector,
    )
    unbounded = joined_dimension(signature) if is_independent else None
    return Evidence(facts, golden, is_independent, _lengths(reference, request, unbounded))


def _numbers_status(name: str, calls: Sequence[Call], rules: Rules, request: ConvertRequest) -> OutputStatus:
    rule = rules.numbers[name]
    pairs = [(call.expected[name], call.found[name]) for call in calls]
    errors = rule.errors(pairs)
    return OutputStatus(
        name=name,
        comparison=_comparison(rule, is_found=rules.is_detection(name)),
        relative_rms=decimal(errors.relative),
        max_absolute_error=decimal(errors.max_absolute),
        excess=decimal(errors.worst.excess),
        worst=errors.worst.where,
        limit=decimal(rule.whole.limit),
        noise_floor=decimal(rule.whole.floor),
        spread=decimal(rule.spread),
        non_finite=errors.non_finite,
        finite=share_text(errors.finite),
        metrics={each: f"{metric(each, pairs):.6g}" for each in wanted_metrics(name, request.verification)},
    )


def _comparison(rule: Rule, *, is_found: bool) -> Comparison:
    if rule.is_constant:
        return "Constant"
    if is_found:
        return "Detections"
    return rule.space.kind if rule.space else "Numbers"


def _labels_status(name: str, calls: Sequence[Call], rules: Rules, request: ConvertRequest) -> OutputStatus:
    rule = rules.labels[name]
    wrong = sum(
        int(rule.wrong(call.expected, call.found, [again for _, again in call.repeats]).sum()) for call in calls
    )
    count = sum(call.expected[name].size for call in calls)
    measured = difference([call.expected[name] for call in calls], [call.found[name] for call in calls])
    varies = spread([call.expected[name] for call in calls])
    taken_from = rules.numbers[rule.origin.name] if rule.origin else None
    if taken_from and not taken_from.is_constant:
        varies = max(varies, taken_from.spread)
    share = (count - wrong) / count if count else 1.0
    return OutputStatus(
        name=name,
        comparison="Constant" if not varies else "Detections" if rules.is_detection(name) else "Labels",
        relative_rms="0" if share == 1.0 else decimal(measured.relative_rms),
        max_absolute_error=decimal(measured.max_absolute),
        excess="0" if share == 1.0 else "inf",
        limit="0",
        noise_floor=decimal(_flips(name, calls)),
        spread=decimal(varies),
        agreement=share_text(share),
        metrics={each: "nan" for each in wanted_metrics(name, request.verification) if each != "agreement"},
    )


def _flips(name: str, calls: Sequence[Call]) -> float:
    """Return the largest share of labels, over the kinds of repeats, that the source gives otherwise."""
    shares = []
    for pairs in repeats_by_kind(calls):
        count = sum(one[name].size for one, _ in pairs)
        equal = sum(
            int(same(one[name], other[name]).sum()) for one, other in pairs if one[name].shape == other[name].shape
        )
        shares.append(1 - equal / count if count else 0.0)
    return max(shares, default=0.0)


def _golden_tolerances(calls: Sequence[Call], rules: Rules) -> dict[str, float]:
    # another instruction set sums in another order: measured up to 1e-5 on deep networks
    numbers = {
        name: min(1.0, max(rule.precision.cap, NOISE_FLOORS * rule.whole.floor)) for name, rule in rules.numbers.items()
    }
    return numbers | {name: min(1.0, NOISE_FLOORS * _flips(name, calls)) for name in rules.labels}


def _lengths(reference: Reference, request: ConvertRequest, unbounded: str | None) -> dict[str, Lengths]:
    """Return what was asked; the rows of `unbounded` may be any number, unless the user says how many."""
    declared = request.dimensions.get(unbounded, DimensionRange()).max if unbounded else None
    return {
        name: Lengths(min=low, max=None if name == unbounded and declared is None else high)
        for name, (low, high) in reference.lengths.items()
    }


def _badness(output: OutputStatus) -> tuple[int, float]:
    excess = float(output.excess)
    return output.non_finite, math.inf if math.isnan(excess) else excess
