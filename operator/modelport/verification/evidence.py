"""Measure the converted model's answers against the source's: what judge judges.

Nothing here opens a model. What cannot be measured (other names, order, types or shapes) fails here.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from modelport.api import DimensionRange, OutputStatus, Signature
from modelport.contract import ConvertRequest, Lengths, ModelportError, VerificationFacts
from modelport.reasons import Reason
from modelport.verification.answers import Company, Tried
from modelport.verification.arrays import Array, Tensors
from modelport.verification.companies import MOST_ELEMENTS, batch_dimension
from modelport.verification.golden import Golden, choose_golden
from modelport.verification.judge import NOISE_FLOORS, wanted_metrics
from modelport.verification.measure import decimal, difference, same, share_text, spread
from modelport.verification.measure.detections import Detector
from modelport.verification.measure.detectors import detector_of
from modelport.verification.measure.labels import LabelRule
from modelport.verification.measure.metrics import metric
from modelport.verification.measure.numbers import Rule
from modelport.verification.measure.precision import is_float, precision_of
from modelport.verification.reference import Answers, Reference, Sample
from modelport.verification.structure import check_structure

MAX_EDGES = 256


Comparison = Literal["Numbers", "Softmax", "Sigmoid", "Labels", "Constant", "Detections"]


class Evidence(NamedTuple):
    """What was measured, the worst output first, and what follows for the artifact."""

    facts: VerificationFacts
    golden: list[Golden]
    has_independent_rows: bool
    lengths: dict[str, Lengths]


class Call(NamedTuple):
    """One call of a usual sample."""

    expected: Tensors
    found: Tensors
    repeats: tuple[tuple[Tensors, Tensors], ...] = ()
    """The source's answer and the same once more, by kind."""


class _Rules(NamedTuple):
    """How each output is judged."""

    numbers: dict[str, Rule]
    labels: dict[str, LabelRule]
    detector: Detector | None

    def is_detection(self, name: str) -> bool:
        return self.detector is not None and name in (*self.detector.outputs, *self.detector.counts)


def evaluate(reference: Reference, tried: Tried, signature: Signature, request: ConvertRequest) -> Evidence:
    """Return the measured errors of the answers in `tried`, which are as many as `reference` has samples and calls.

    Raises ModelportError: VerificationFailed for answers that cannot be compared, ConversionFailed for a signature
    that the source model's own answers contradict.
    """
    detector = detector_of(reference)
    check_structure(reference, tried, signature, dict.fromkeys(detector.outputs, detector.axis) if detector else {})
    answered = list(zip(reference.samples, tried.samples, strict=True))
    calls = _align(
        [call for sample, answers in answered if not sample.is_edge for call in _calls(sample, answers)], detector
    )
    rules = _make_rules(calls, reference, signature, detector)
    outputs = [
        _numbers_status(name, calls, rules, request)
        if name in rules.numbers
        else _labels_status(name, calls, rules, request)
        for name in calls[0].expected
    ]
    is_independent = _has_independent_rows(tried.companies, rules, calls[0].expected)
    facts = VerificationFacts(
        samples=len(reference.usual),
        caveats=list(reference.caveats),
        outputs=sorted(outputs, key=_badness, reverse=True),
        max_absolute_error=decimal(max(float(output.max_absolute_error) for output in outputs)),
        edges=_edges([(sample, answers) for sample, answers in answered if sample.is_edge], rules),
    )
    golden = choose_golden(
        [(sample.inputs, answers) for sample, answers in answered if not sample.is_edge],
        _golden_tolerances(calls, rules),
        detector,
    )
    unbounded = batch_dimension(signature) if is_independent else None
    return Evidence(facts, golden, is_independent, _lengths(reference, request, unbounded))


def _calls(sample: Sample, answers: Answers) -> list[Call]:
    return [
        Call(expected, found, tuple((expected, again[number]) for again in sample.repeats))
        for number, (expected, found) in enumerate(zip(sample.outputs, answers, strict=True))
    ]


def _align(calls: Sequence[Call], detector: Detector | None) -> list[Call]:
    """Return the calls with detections in the order, and of the number, that the source's have."""
    if detector is None:
        return list(calls)
    aligned = detector.align_all([(call.expected, call.found) for call in calls])
    for call, found in zip(calls, aligned, strict=True):
        for name in detector.outputs:
            wanted, given = (each[name].shape[detector.axis] for each in (call.expected, found))
            if wanted != given:
                message = (
                    f"detections ({', '.join(detector.outputs)[:200]}): {wanted} expected, {given} found, and scores "
                    "next to others explain no such difference"
                )
                raise ModelportError(Reason.VERIFICATION_FAILED, message)
    return [
        Call(call.expected, found, tuple((one, detector.align(one, other)) for one, other in call.repeats))
        for call, found in zip(calls, aligned, strict=True)
    ]


def _make_rules(calls: Sequence[Call], reference: Reference, signature: Signature, detector: Detector | None) -> _Rules:
    shapes = {each.name: each.shape for each in signature.outputs}
    kinds = max(len(call.repeats) for call in calls)
    numbers: dict[str, Rule] = {}
    for name, first in calls[0].expected.items():
        if is_float(first.dtype):
            repeats = [
                [_repeated(name, *call.repeats[kind]) for call in calls if kind < len(call.repeats)]
                for kind in range(kinds)
            ]
            # where a kind could not be asked the answer itself stands in, which must not dilute the noise of the others
            repeats = [[pair for pair in pairs if not same(*pair).all()] for pairs in repeats]
            shape = shapes.get(name) or [0]
            numbers[name] = Rule.of(
                [call.expected[name] for call in calls],
                repeats,
                precision_of(first.dtype, reference.precision),
                is_batched=isinstance(shape[0], str),
            )
    expected = [call.expected for call in calls]
    margins = {name: rule.margin for name, rule in numbers.items()}
    labels = {name: LabelRule.of(name, expected, margins) for name in calls[0].expected if name not in numbers}
    return _Rules(numbers, labels, detector)


def _repeated(name: str, expected: Tensors, again: Tensors) -> tuple[Array, Array]:
    one, other = expected[name], again[name]
    # a length that noise changes is noise without a measure
    return one, other if (one.shape, one.dtype) == (other.shape, other.dtype) else np.full_like(one, np.nan)


def _numbers_status(name: str, calls: Sequence[Call], rules: _Rules, request: ConvertRequest) -> OutputStatus:
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


def _labels_status(name: str, calls: Sequence[Call], rules: _Rules, request: ConvertRequest) -> OutputStatus:
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
    for kind in range(max(len(call.repeats) for call in calls)):
        pairs = [call.repeats[kind] for call in calls if kind < len(call.repeats)]
        count = sum(one[name].size for one, _ in pairs)
        equal = sum(
            int(same(one[name], other[name]).sum()) for one, other in pairs if one[name].shape == other[name].shape
        )
        shares.append(1 - equal / count if count else 0.0)
    return max(shares, default=0.0)


def _edges(answered: Sequence[tuple[Sample, Answers]], rules: _Rules) -> str:
    pairs = [pair for sample, answers in answered for pair in zip(sample.outputs, answers, strict=True)]
    given = [(one, rules.detector.align(one, other) if rules.detector else other) for one, other in pairs if other]
    ends = [
        _is_near_end(asked)
        for sample, answers in answered
        for asked, other in zip(sample.inputs, answers, strict=True)
        if other
    ]
    texts = [f"no answer to {len(pairs) - len(given)} of {len(pairs)} calls"] if len(given) < len(pairs) else []
    for name in [*rules.numbers, *rules.labels]:
        differing = [_differing_rows(name, *pair, rules) for pair in given]
        rows, wrong = sum(each.size for each in differing), sum(int(each.sum()) for each in differing)
        non_finite = sum(_differ_in_finiteness(one[name], other[name]) for one, other in given)
        why = f" ({non_finite} elements NaN or infinite in one alone)" if non_finite else ""
        near = sum(int(each.sum()) for each, is_end in zip(differing, ends, strict=True) if is_end)
        where = f", {near} of them near the largest number of the type" if near else ""
        texts += [f"output {name}: {wrong} of {rows} rows differ{where}{why}"] if wrong else []
    return "; ".join(texts)[:MAX_EDGES]


def _is_near_end(asked: Tensors) -> bool:
    """Whether a question has finite numbers whose double is infinite."""
    with np.errstate(over="ignore"):
        return any(
            bool(np.any(np.isfinite(array) & ~np.isfinite(array + array)))
            for array in asked.values()
            if is_float(array.dtype)
        )


def _differ_in_finiteness(one: Array, other: Array) -> int:
    if not is_float(one.dtype) or one.shape != other.shape:
        return 0
    return int(np.sum(np.isfinite(one) != np.isfinite(other)))


def _differing_rows(name: str, expected: Tensors, found: Tensors, rules: _Rules) -> Array:
    one, other = expected[name], found[name]
    if one.shape != other.shape:
        return np.ones(max(1, one.shape[0] if one.ndim else 1), np.bool_)
    if name in rules.numbers:
        return rules.numbers[name].differing_rows(one, other)
    wrong = np.atleast_1d(rules.labels[name].wrong(expected, found))
    return np.asarray(wrong.any(axis=tuple(range(1, wrong.ndim))))


def _has_independent_rows(companies: Sequence[Company], rules: _Rules, known: Tensors) -> bool:
    return bool(companies) and all(_agrees(company, rules, known) for company in companies)


def _agrees(company: Company, rules: _Rules, known: Tensors) -> bool:
    """Return whether rows alone are those in company; `known` are the outputs of any call."""
    alone, together = company
    together = rules.detector.align(alone, together) if rules.detector else together
    if set(alone) != set(known) or set(together) != set(known):
        return False
    if not all(_has_rows(alone[name], together[name], one) for name, one in known.items()):
        return False
    if not all(alone[name].ndim == one.ndim for name, one in known.items()):  # only some elements were kept
        return not any(_differ(name, alone, together, rules) for name in known)
    return not any(_differing_rows(name, alone, together, rules).any() for name in known) and all(
        rule.fits(alone[name]) and rule.errors([(alone[name], together[name])]).worst.excess <= 1.0
        for name, rule in rules.numbers.items()
    )


def _has_rows(alone: Array, together: Array, known: Array) -> bool:
    is_known = alone.ndim == known.ndim > 0 or alone.shape[1:] == (MOST_ELEMENTS,)
    return (
        is_known and len(alone) > 0 and alone.shape == together.shape and alone.dtype == together.dtype == known.dtype
    )


def _differ(name: str, alone: Tensors, together: Tensors, rules: _Rules) -> bool:
    """Return whether rows differ, of labels without the numbers that they come from, whose elements are others."""
    if name in rules.numbers:
        return bool(rules.numbers[name].differing_rows(alone[name], together[name]).any())
    return not same(alone[name], together[name]).all()


def _golden_tolerances(calls: Sequence[Call], rules: _Rules) -> dict[str, float]:
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
