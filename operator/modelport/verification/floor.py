"""How much the source model disagrees with itself: what no conversion can be blamed for.

It answers again, with its batches split and with its inputs moved by one unit in the last place. Both change nothing
that the model was trained to see, and everything about the order and rounding of its sums.
"""

from collections.abc import Callable, Sequence

import numpy as np

from modelport.contract import ModelportError
from modelport.reasons import Reason
from modelport.verification.arrays import Array, Tensors
from modelport.verification.judge import UNSTABLE_FLOOR
from modelport.verification.measure import difference
from modelport.verification.reference import Answer, Floors, Sample

Run = Callable[[Tensors], Answer]

RANDOM = 1e-4
"""Relative RMS between two runs that threads alone do not explain."""


def check_deterministic(samples: Sequence[Sample], run: Run, suspects: Callable[[], Sequence[str]]) -> None:
    """Ask again. Raises ModelportError (NonDeterministic) with the suspects if the answers differ."""
    again = [run(inputs) for inputs, _ in samples]
    for name in samples[0].answer.outputs:
        measured = difference(
            [sample.answer.outputs[name] for sample in samples], [answer.outputs[name] for answer in again]
        )
        is_label = samples[0].answer.outputs[name].dtype.kind != "f"
        if measured.relative_rms > RANDOM or measured.non_finite or (is_label and measured.equal < 1.0):
            found = ", ".join(suspects())[:300] or "none found"
            message = (
                f"output {name}: two runs of the source model on equal inputs differ by a relative RMS of "
                f"{measured.relative_rms:.3g}; random operations: {found}"
            )
            raise ModelportError(Reason.NON_DETERMINISTIC, message)


def measure_floors(samples: Sequence[Sample], run: Run, *, is_batched: bool) -> Floors:
    """Return the noise floors; `is_batched` says that all inputs have the same free dimension first."""
    moved = _floors(samples, [run(_moved_by_one_ulp(inputs, seed)) for seed, (inputs, _) in enumerate(samples)])
    split = [_split_answer(sample, run) for sample in samples] if is_batched else []
    pairs = [(sample, answer) for sample, answer in zip(samples, split, strict=False) if answer]
    if not pairs:
        return moved
    parts = _floors([sample for sample, _ in pairs], [answer for _, answer in pairs])
    return Floors(_larger(moved.outputs, parts.outputs), _larger(moved.logits, parts.logits))


def _floors(samples: Sequence[Sample], answers: Sequence[Answer]) -> Floors:
    def floor(expected: list[Array], found: list[Array]) -> float:
        measured = difference(expected, found)
        return float("inf") if measured.non_finite else measured.relative_rms

    first = samples[0].answer
    return Floors(
        {
            name: floor([each.answer.outputs[name] for each in samples], [each.outputs[name] for each in answers])
            for name in first.outputs
        },
        {
            name: floor([each.answer.logits[name] for each in samples], [each.logits[name] for each in answers])
            for name in first.logits
        },
    )


def _larger(moved: dict[str, float], split: dict[str, float]) -> dict[str, float]:
    # a first axis whose parts depend on one another (time, not a batch) makes the split an other question, not noise
    return {name: max(floor, split[name]) if split[name] <= UNSTABLE_FLOOR else floor for name, floor in moved.items()}


def _moved_by_one_ulp(inputs: Tensors, seed: int) -> Tensors:
    random = np.random.default_rng([seed])
    return {name: _nudge(array, random) if array.dtype.kind == "f" else array for name, array in inputs.items()}


def _nudge(array: Array, random: np.random.Generator) -> Array:
    direction = random.choice(np.array([-np.inf, np.inf], array.dtype), size=array.shape)
    moved: Array = np.nextafter(array, direction)
    # away from zero lies a denormal number, which some processors flush: no change of value, a large change of speed
    return np.where(array == 0, array, moved)


def _split_answer(sample: Sample, run: Run) -> Answer | None:
    """Return the answers to both halves of a batch, joined; None if this sample or this model cannot be split."""
    lengths = {array.shape[0] for array in sample.inputs.values()}
    answered = {array.shape[:1] for group in sample.answer for array in group.values()}
    if len(lengths) != 1 or min(lengths) < 2 or answered != {(min(lengths),)}:  # noqa: PLR2004  # halves of at least 1
        return None
    middle = min(lengths) // 2
    halves = (slice(None, middle), slice(middle, None))
    answers = [run({name: array[half] for name, array in sample.inputs.items()}) for half in halves]
    outputs, logits = (
        {name: np.concatenate([group[name] for group in groups]) for name in groups[0]}
        for groups in zip(*answers, strict=True)
    )
    shapes = {name: array.shape for name, array in sample.answer.outputs.items()}
    return Answer(outputs, logits) if {name: array.shape for name, array in outputs.items()} == shapes else None
