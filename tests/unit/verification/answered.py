"""A source and a candidate in numpy, through the gate: what the tests of evidence and judgement ask."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from builders import convert_request
from modelport.api.spec import DimensionRange, Verification
from modelport.api.status import Signature, Tensor
from modelport.errors import ModelportError
from modelport.verification.answers import Company, Tried
from modelport.verification.arrays import Tensors
from modelport.verification.reference import Reference, Sample
from modelport.verification.verdict.evidence import Evidence, evaluate
from modelport.verification.verdict.judgement import judge
from modelport.verification.verdict.structure import dtype_name

Model = Callable[[Tensors], Tensors]
BATCHES = (1, 2, 3, 11, 1, 2, 3, 11)


def questions(*shape: int, batches: Sequence[int] = BATCHES, dtype: Any = np.float32) -> list[Tensors]:
    random = np.random.default_rng(7)
    return [{"x": random.standard_normal((batch, *shape)).astype(dtype)} for batch in batches]


def moved(inputs: Tensors, seed: int = 0) -> Tensors:
    """Return the inputs moved by one unit in the last place."""
    random = np.random.default_rng(seed)

    def nudge(array):
        if array.dtype.kind != "f":
            return array
        return np.where(
            array == 0, array, np.nextafter(array, random.choice(np.array([-np.inf, np.inf], array.dtype), array.shape))
        )

    return {name: nudge(array).astype(array.dtype) for name, array in inputs.items()}


def reference_of(source: Model, asked: Sequence[Tensors], *, edges: Sequence[Tensors] = (), **fields: Any) -> Reference:
    usual = [
        Sample((each,), (source(each),), tuple((source(moved(each, seed)),) for seed in range(2))) for each in asked
    ]
    return Reference((*usual, *(Sample((each,), (source(each),), is_edge=True) for each in edges)), **fields)


def signature_of(reference: Reference) -> Signature:
    """Describe what was asked and answered: first axes are the batch where they vary, other lengths have names."""

    samples = reference.usual
    batches = [next(iter(each.inputs[0].values())).shape[0] for each in samples]

    def name_of(name, axis, lengths):
        if lengths == batches:
            return "batch"
        return f"{name}_{axis}" if len(set(lengths)) > 1 else lengths[0]

    def describe(name, arrays):
        shape = [name_of(name, axis, [each.shape[axis] for each in arrays]) for axis in range(arrays[0].ndim)]
        return Tensor(name=name, dtype=dtype_name(arrays[0]), shape=shape)

    def described(groups):
        return [describe(name, [each[name] for each in groups]) for name in groups[0]]

    return Signature(
        inputs=described([each.inputs[0] for each in samples]), outputs=described([each.outputs[0] for each in samples])
    )


def measured(
    reference: Reference,
    candidate: Model,
    *,
    signature: Signature | None = None,
    companies: Sequence[Company] = (),
    dimensions: Mapping[str, DimensionRange] = {},
    **verification: Any,
) -> tuple[Evidence, ModelportError | None]:
    request = convert_request(dimensions=dict(dimensions), verification=Verification(**verification))
    answers = tuple(tuple(candidate(call) for call in sample.inputs) for sample in reference.samples)
    found = evaluate(reference, Tried(answers, tuple(companies)), signature or signature_of(reference), request)
    return found, judge(found.facts, request.verification)


def verdict(source: Model, candidate: Model, asked: Sequence[Tensors], **options: Any) -> str:
    """Return the reason of the refusal, or an empty text."""
    fields = {name: options.pop(name) for name in ("precision", "edges") if name in options}
    finding = measured(reference_of(source, asked, **fields), candidate, **options)[1]
    return finding.reason if finding else ""
