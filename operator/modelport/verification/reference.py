"""What the source model answers to the samples, and how much it disagrees with itself: reference.npz.

Step ask writes it in the source's own framework; try reads the questions and judge the answers, with nothing of that
framework at hand.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from modelport.api.base import Dtype
from modelport.api.reasons import Reason
from modelport.encoding import Message, decode
from modelport.errors import ModelportError
from modelport.storage.files import open_beneath
from modelport.verification.arrays import Array, Tensors, read_arrays, write_arrays

FILE_NAME = "reference.npz"

Answers = tuple[Tensors, ...]
"""The outputs of one sample's calls, by name and in the model's order."""


class Sample(NamedTuple):
    """One question and the source model's answer: a sequence of calls, one of them for a model without states.

    A call after the first holds no state among its inputs: who asks feeds the outputs of the call before back
    (`modelport.verification.calls`).
    """

    inputs: tuple[Tensors, ...]
    outputs: Answers
    repeats: tuple[Answers, ...] = ()
    """The source again, asked in ways that only noise can tell apart: moved by one ulp, in float64, split, permuted.

    None of edges."""
    is_edge: bool = False
    """Whether its values are met at the edges alone: ties, zeros, NaN, the ends of the range."""


class Reference(NamedTuple):
    """All that verification needs to know about the source model."""

    samples: tuple[Sample, ...]
    precision: Dtype = "float32"
    """The coarsest floating-point type that the source computes with, or the options ask for: errors are judged in its units."""
    lengths: Mapping[str, tuple[int, int]] = {}
    """Smallest and largest length asked, by free dimension."""
    caveats: tuple[str, ...] = ()
    """What a user must know about the source or its samples."""

    @property
    def usual(self) -> tuple[Sample, ...]:
        """The samples that decide."""
        return tuple(sample for sample in self.samples if not sample.is_edge)

    @property
    def edges(self) -> tuple[Sample, ...]:
        """The samples whose differences are a measured limit."""
        return tuple(sample for sample in self.samples if sample.is_edge)


class _SampleIndex(Message, frozen=True, kw_only=True):
    calls: int
    repeats: int
    is_edge: bool


class _Index(Message, frozen=True, kw_only=True):
    inputs: list[str]
    states: list[str]
    """Inputs that the first call of a sample has and later ones have not."""
    outputs: list[str]
    samples: list[_SampleIndex]
    precision: Dtype
    lengths: dict[str, tuple[int, int]]
    caveats: list[str]


def write_reference(path: Path, reference: Reference) -> None:
    """Write the file. All samples have the same inputs and outputs."""
    first = reference.samples[0]
    inputs = list(first.inputs[0])
    later = next((sample.inputs[1] for sample in reference.samples if len(sample.inputs) > 1), first.inputs[0])
    index = _Index(
        inputs=inputs,
        states=[name for name in inputs if name not in later],
        outputs=list(first.outputs[0]),
        samples=[
            _SampleIndex(calls=len(each.inputs), repeats=len(each.repeats), is_edge=each.is_edge)
            for each in reference.samples
        ],
        precision=reference.precision,
        lengths=dict(reference.lengths),
        caveats=list(reference.caveats),
    )
    arrays: dict[str, Array] = {}
    for number, sample in enumerate(reference.samples):
        groups = (
            ("in", sample.inputs),
            ("out", sample.outputs),
            *((f"again{i}", r) for i, r in enumerate(sample.repeats)),
        )
        for group, calls in groups:
            names = index.inputs if group == "in" else index.outputs
            for call, tensors in enumerate(calls):
                arrays |= {f"{number}.{group}.{call}.{names.index(name)}": each for name, each in tensors.items()}
    write_arrays(path, msgspec.json.encode(index), arrays)


def read_reference(path: Path) -> Reference:
    """Read the file. Raises ModelportError (ConversionFailed) if it is not what `write_reference` writes."""
    with open_beneath(path.parent, path.name) as file:
        text, arrays = read_arrays(file, path.name)
    try:
        index = decode(text, _Index)
        samples = tuple(_read_sample(index, arrays, number) for number in range(len(index.samples)))
        if all(sample.is_edge for sample in samples):
            raise ValueError("no samples")  # noqa: TRY301  # told like what cannot be read
    except (msgspec.MsgspecError, KeyError, ValueError) as error:
        message = f"{path.name}: expected the reference of a source model, found: {error!s:.200}"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error
    return Reference(samples, index.precision, index.lengths, tuple(index.caveats))


def _read_sample(index: _Index, arrays: Tensors, number: int) -> Sample:
    def tensors(group: str, call: int, names: list[str], left_out: list[str]) -> Tensors:
        return {
            name: arrays[f"{number}.{group}.{call}.{position}"]
            for position, name in enumerate(names)
            if name not in left_out
        }

    def answers(group: str) -> Answers:
        return tuple(tensors(group, call, index.outputs, []) for call in range(described.calls))

    described = index.samples[number]
    if described.calls < 1 or not index.outputs:
        raise ValueError("a sample without an answer")
    outputs = answers("out")  # first, because an array bears each call out, whatever their number
    return Sample(
        tuple(tensors("in", call, index.inputs, index.states if call else []) for call in range(described.calls)),
        outputs,
        tuple(answers(f"again{repeat}") for repeat in range(described.repeats)),
        described.is_edge,
    )
