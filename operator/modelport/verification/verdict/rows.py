"""What differs row by row: at edges, and between rows alone and in company."""

from collections.abc import Sequence

import numpy as np

from modelport.verification.answers import Company
from modelport.verification.arrays import Array, Tensors
from modelport.verification.measure import same
from modelport.verification.measure.precision import is_float
from modelport.verification.reference import Answers, Sample
from modelport.verification.verdict.companies import MOST_ELEMENTS
from modelport.verification.verdict.rules import Rules

MAX_EDGES = 256


def describe_edges(answered: Sequence[tuple[Sample, Answers]], rules: Rules) -> str:
    """Return which outputs differ at the edges, in how many rows; empty if none does."""
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


def _differing_rows(name: str, expected: Tensors, found: Tensors, rules: Rules) -> Array:
    one, other = expected[name], found[name]
    if one.shape != other.shape:
        return np.ones(max(1, one.shape[0] if one.ndim else 1), np.bool_)
    if name in rules.numbers:
        return rules.numbers[name].differing_rows(one, other)
    wrong = np.atleast_1d(rules.labels[name].wrong(expected, found))
    return np.asarray(wrong.any(axis=tuple(range(1, wrong.ndim))))


def has_independent_rows(companies: Sequence[Company], rules: Rules, known: Tensors) -> bool:
    """Return whether rows alone are those in company, in all that was asked; `known` are the outputs of any call."""
    return bool(companies) and all(_agrees(company, rules, known) for company in companies)


def _agrees(company: Company, rules: Rules, known: Tensors) -> bool:
    """Return whether rows alone are those in company; `known` are the outputs of any call."""
    alone, together = company
    if not all(set(each) == set(known) for each in company):
        return False
    if not all(_has_rows(each[name], one) for each in company for name, one in known.items()):
        return False
    is_whole = all(alone[name].ndim == one.ndim for name, one in known.items())  # else only some elements were kept
    if rules.detector and is_whole:
        together = rules.detector.align(alone, together)
    if any(alone[name].shape != together[name].shape for name in known):
        return False
    if not is_whole:
        return not any(_differ(name, alone, together, rules) for name in known)
    return not any(_differing_rows(name, alone, together, rules).any() for name in known) and all(
        rule.fits(alone[name]) and rule.errors([(alone[name], together[name])]).worst.excess <= 1.0
        for name, rule in rules.numbers.items()
    )


def _has_rows(array: Array, known: Array) -> bool:
    is_known = array.ndim == known.ndim > 0 or array.shape[1:] == (MOST_ELEMENTS,)
    return is_known and len(array) > 0 and array.dtype == known.dtype


def _differ(name: str, alone: Tensors, together: Tensors, rules: Rules) -> bool:
    """Return whether rows differ, of labels without the numbers that they come from, whose elements are others."""
    if name in rules.numbers:
        return bool(rules.numbers[name].differing_rows(alone[name], together[name]).any())
    return not same(alone[name], together[name]).all()
