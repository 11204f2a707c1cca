"""Ask the converted model the same questions as the source model: the target's half of the gate.

A server image calls `verify` with its own backend, in step verify, and judges the facts by `judge`. What cannot be
measured (other names, order, types or shapes, a question that the model does not answer) fails here.
"""

from collections.abc import Callable
from typing import NamedTuple

from modelport.api import OutputStatus
from modelport.contract import ModelportError, VerificationFacts
from modelport.reasons import Reason
from modelport.verification.arrays import Tensors
from modelport.verification.golden import Golden, choose_golden
from modelport.verification.measure import decimal, measure
from modelport.verification.reference import Answer, Reference, Sample

Infer = Callable[[Tensors], Tensors]
"""Inputs by name to outputs by name, in the model's order."""


class Evidence(NamedTuple):
    """What was measured, the worst output first, and the samples that travel with the artifact."""

    facts: VerificationFacts
    golden: list[Golden]


def verify(reference: Reference, infer: Infer, infer_logits: Infer | None = None) -> Evidence:
    """Return the measured errors of the model behind `infer`, which is loaded as it will be served.

    `infer_logits` returns, by output name, the tensor before the final softmax or sigmoid of that output; outputs
    without one are left out. It may run another session of the same model, because it needs more of the graph.
    Raises ModelportError (VerificationFailed) for answers that cannot be compared.
    """
    answers = [
        _ask(number, sample, infer, infer_logits or _no_logits) for number, sample in enumerate(reference.samples)
    ]
    outputs = measure(reference, answers)
    facts = VerificationFacts(
        samples=len(answers),
        outputs=sorted(outputs, key=_badness, reverse=True),
        max_absolute_error=decimal(max(float(output.max_absolute_error) for output in outputs)),
    )
    golden = choose_golden(
        [sample.inputs for sample in reference.samples],
        [answer.outputs for answer in answers],
        reference.floors.outputs,
    )
    return Evidence(facts, golden)


def _no_logits(_inputs: Tensors) -> Tensors:
    return {}


def _ask(number: int, sample: Sample, infer: Infer, infer_logits: Infer) -> Answer:
    try:
        answer = Answer(infer(sample.inputs), infer_logits(sample.inputs))
    except ModelportError:
        raise
    except Exception as error:  # a runtime's errors have no common base; each is an answer that the source model has
        message = f"sample {number} ({_shapes(sample.inputs)}): the converted model fails: {error!s:.300}"
        raise ModelportError(Reason.VERIFICATION_FAILED, message) from error
    expected, found = _description(sample.answer.outputs), _description(answer.outputs)
    if expected != found:
        message = (
            f"sample {number} ({_shapes(sample.inputs)}): expected outputs {expected!s:.200}, found {found!s:.200}"
        )
        raise ModelportError(Reason.VERIFICATION_FAILED, message)
    return answer


def _description(tensors: Tensors) -> list[str]:
    return [f"{name} {tensor.dtype}{list(tensor.shape)}" for name, tensor in tensors.items()]


def _shapes(tensors: Tensors) -> str:
    return ", ".join(f"{name} {list(tensor.shape)}" for name, tensor in tensors.items())[:200]


def _badness(output: OutputStatus) -> tuple[int, float]:
    error = float(output.relative_rms)
    return output.non_finite, error if error == error else float("inf")  # noqa: PLR0124  # NaN is the worst
