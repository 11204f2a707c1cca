"""Whether answers are near the source's: a quick look that chooses between ways to load a model, and judges nothing."""

import math
from collections.abc import Sequence

from modelport.verification.measure.detections import Detector
from modelport.verification.measure.detectors import detector_of
from modelport.verification.measure.sameness import distance, noise_of
from modelport.verification.reference import Answers, Reference, Sample
from modelport.verification.verdict.judgement import MAX_LIMIT, NOISE_FLOORS

LIMIT = 1e-5
"""Relative RMS. A graph that an optimiser breaks is off by far more, one whose quantised numbers it rounds otherwise by
little more; a limit that is too small costs a few more tries."""


def is_near(reference: Reference, answers: Sequence[Answers]) -> bool:
    """Return whether the candidate's answers to all samples, edges apart, are near the source's.

    What rounding in the source's own precision explains, or differs between two of its own answers, is near.
    """
    least = max(LIMIT, noise_of(reference.precision))
    detector = detector_of(reference)
    asked = zip(reference.samples, answers, strict=True)
    usual = [(sample, found) for sample, found in asked if not sample.is_edge]
    return all(
        list(expected) == list(given) and all(distance(expected[name], aligned[name]) <= limits[name] for name in given)
        for limits in [_limits(reference.usual, least, detector)]
        for sample, found in usual
        for expected, given in zip(sample.outputs, found, strict=True)
        for aligned in [detector.align(expected, given) if detector else given]
    )


def _limits(samples: Sequence[Sample], least: float, detector: Detector | None) -> dict[str, float]:
    """Return the limit of each output: of numbers a relative RMS, of labels a share."""
    limits = dict.fromkeys(samples[0].outputs[0], least)
    for sample in samples:
        for again in sample.repeats:
            for outputs, repeated in zip(sample.outputs, again, strict=True):
                others = detector.align(outputs, repeated) if detector else repeated
                for name, array in outputs.items():
                    noise = distance(array, others[name])
                    if math.isfinite(noise):  # else the source's own answers do not compare, which excuses nothing
                        limits[name] = max(limits[name], noise, min(MAX_LIMIT, NOISE_FLOORS * noise))
    return limits
