"""Ask the source model: the source's half of the gate, run by the first hop in the source's own framework."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from modelport.api import Input, Tensor
from modelport.contract import ConvertRequest
from modelport.verification.arrays import Array, Tensors
from modelport.verification.floor import Run, check_deterministic, measure_floors
from modelport.verification.reference import Reference, Sample
from modelport.verification.samples import batch_dimension, make_samples


class Source(NamedTuple):
    """The source model, loaded."""

    inputs: Sequence[Input]
    run: Run
    find_random_operations: Callable[[], Sequence[str]]


def ask_source(source: Source, request: ConvertRequest) -> Reference:
    """Return the source model's answers to samples of its inputs, and its noise floors.

    Raises ModelportError: InputsNeeded, InvalidSpec, NonDeterministic.
    """
    questions = make_samples(source.inputs, request.dimensions, request.verification.samples, source.run)
    samples = tuple(Sample(inputs, source.run(inputs)) for inputs in questions)
    check_deterministic(samples, source.run, source.find_random_operations)
    is_batched = batch_dimension(source.inputs) is not None
    return Reference(samples, measure_floors(samples, source.run, is_batched=is_batched))


def describe_inputs(inputs: Sequence[Input]) -> list[Tensor]:
    """Return the inputs' part of a signature."""
    return [Tensor(name=each.name, dtype=each.dtype, shape=list(each.shape)) for each in inputs]


def describe_outputs(inputs: Sequence[Input], samples: Sequence[Sample]) -> list[Tensor]:
    """Return the outputs' part of a signature, as the answers show it.

    A length is fixed if it is the same for all samples, has the name of a free dimension of the inputs if it always
    equals that one, and a name of its own (`<output>_<axis>`) else.
    """
    return [
        Tensor(
            name=name,
            dtype=str(first.dtype),
            shape=[
                _describe_length(f"{name}_{axis}", _lengths(samples, name, axis), inputs, samples)
                for axis in range(first.ndim)
            ],
        )
        for name, first in samples[0].answer.outputs.items()
    ]


def _lengths(samples: Sequence[Sample], name: str, axis: int) -> list[int]:
    return [_length(sample.answer.outputs[name], axis) for sample in samples]


def _length(array: Array, axis: int) -> int:
    return int(array.shape[axis]) if axis < array.ndim else 0


def _describe_length(
    own_name: str, lengths: list[int], inputs: Sequence[Input], samples: Sequence[Sample]
) -> str | int:
    if len(set(lengths)) == 1:
        return lengths[0]
    for each in inputs:
        for axis, dimension in enumerate(each.shape):
            if isinstance(dimension, str) and lengths == _input_lengths(samples, each.name, axis):
                return dimension
    return own_name


def _input_lengths(samples: Sequence[Sample], name: str, axis: int) -> list[int]:
    tensors: list[Tensors] = [sample.inputs for sample in samples]
    return [int(each[name].shape[axis]) for each in tensors]
