"""Ask the source model: the source's half of the gate, run by step ask in the source's own framework."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from modelport.api.base import Dtype
from modelport.api.reasons import Reason
from modelport.api.spec import DimensionRange, Input, State
from modelport.api.status import Tensor
from modelport.errors import ModelportError
from modelport.jobs.requests import ConvertRequest
from modelport.verification.arrays import Array, Tensors
from modelport.verification.calls import Calls, Infer, run_calls
from modelport.verification.hints import Hint
from modelport.verification.measure.precision import coarser_of
from modelport.verification.measure.sameness import find_difference
from modelport.verification.reference import Reference, Sample
from modelport.verification.samples.plan import make_plan
from modelport.verification.samples.probing import Prober
from modelport.verification.source.answering import Asked, ask_edges, ask_one
from modelport.verification.source.moving import can_move
from modelport.verification.source.repeats import Ways, find_axes, make_repeats

__all__ = ["Hint", "Source", "ask_source", "describe_inputs", "describe_outputs"]

REBUILD_SAMPLES = 3


def _nothing() -> Sequence[str]:
    return ()


class Source(NamedTuple):
    """The source model, loaded; a framework fills it in."""

    inputs: Sequence[Input]
    run: Infer
    find_random_operations: Callable[[], Sequence[str]] = _nothing
    """Says, after runs, what makes two of them differ."""
    run_unwatched: Infer | None = None
    """The same, where `run` looks at what the model does, which takes longer: for what is asked for its answers alone."""
    hints: Mapping[str, Hint] = {}
    """By input."""
    precision: Dtype = "float32"
    """The coarsest floating-point type that it computes with."""
    rebuild: Callable[[], Infer] | None = None
    """Builds the same model once more, from the same files under another seed: numbers that no file holds differ."""
    move_weights: Callable[[], Infer] | None = None
    """Builds it once more with its weights moved by one unit in the last place: noise, where no input can move."""
    run_wide: Infer | None = None
    """Answers inputs of float64 in float64, as far as it can: how the source itself rounds."""
    dimensions: Mapping[str, DimensionRange] = {}
    """Limits of free dimensions that the source tells; what the user declares of one replaces them."""
    find_unstored: Callable[[], Sequence[str]] = _nothing
    """Says, after `rebuild`, which tensors of the two differ."""


def ask_source(source: Source, request: ConvertRequest, data: Sequence[Tensors]) -> Reference:
    """Return the source's answers to generated samples, to the user's `data` (by input, without states), and to edges.

    Raises ModelportError: InputsNeeded or SamplesNeeded where questions cannot be made, NonDeterministic where equal
    questions get other answers, WeightsMismatch where two builds of the model do, InvalidSpec, ConversionFailed.
    """
    run, again, states = _numbers_only(source.run), _numbers_only(source.run_unwatched or source.run), request.states
    prober = Prober(again)
    plan = make_plan(
        source.inputs,
        {**source.dimensions, **request.dimensions},
        prober,
        count=request.verification.samples,
        hints={**_vocabularies(source.inputs, data), **source.hints},
        states=states,
        data=data,
    )
    asked = [ask_one(ways, run, states) for ways in [*plan.usual, *_with_states(data, source.inputs, states)]]
    _check_deterministic(asked[: request.verification.samples // 2], again, source, states)
    _check_builds(asked[:REBUILD_SAMPLES], source, states)
    samples = [Sample(each.calls, each.outputs) for each in asked]
    movable = _movable(source, states, asked)
    moved = source.move_weights() if source.move_weights and not movable else None
    repeats = make_repeats(
        asked,
        Ways(
            partial(run_calls, again, states=states),
            moved and partial(run_calls, moved, states=states),
            source.run_wide and partial(run_calls, source.run_wide, states=states),
        ),
        find_axes(source.inputs, describe_outputs(source.inputs, samples)),
        source.precision,
        movable=movable,
        generated=len(plan.usual),
    )
    samples = [sample._replace(repeats=each) for sample, each in zip(samples, repeats, strict=True)]
    edges, caveats = ask_edges(plan, run, states)
    _check_unchanged(prober, again, source)
    return Reference(
        samples=(*samples, *edges),
        precision=coarser_of(source.precision, request.precision or "float32"),
        lengths=_lengths_asked(source.inputs, samples),
        caveats=(*plan.caveats, *caveats),
    )


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
            dtype="string" if first.dtype.kind == "O" else str(first.dtype),
            shape=[
                _describe_length(
                    f"{name}_{axis}", [_length(sample.outputs[0][name], axis) for sample in samples], inputs, samples
                )
                for axis in range(first.ndim)
            ],
        )
        for name, first in samples[0].outputs[0].items()
    ]


def _numbers_only(run: Infer) -> Infer:
    def checked(tensors: Tensors) -> Tensors:
        outputs = run(tensors)
        for name, array in outputs.items():
            if array.dtype.kind == "c":
                message = (
                    f"output {name}: complex numbers have no type in the serving protocol; return real and imaginary "
                    "parts as outputs of their own"
                )
                raise ModelportError(Reason.CONVERSION_FAILED, message)
        return outputs

    return checked


def _movable(source: Source, states: Sequence[State], asked: Sequence[Asked]) -> set[str]:
    """Return the inputs whose effect is noise when they move by one unit in the last place.

    Integers cannot, nor can zeros, which states begin with; behind thresholds and masks it is another question, or none.
    """
    exact = {name for name, hint in source.hints.items() if hint.thresholds or hint.is_mask or hint.is_added}
    exact |= {state.input for state in states}
    names = {each.name for each in source.inputs} - exact
    return {name for name in names if any(can_move(each.calls[0][name]) for each in asked)}


def _vocabularies(inputs: Sequence[Input], data: Sequence[Tensors]) -> dict[str, Hint]:
    """Return the strings in the user's data: they are questions enough where the model does not tell any."""
    return {
        each.name: Hint(strings=tuple(sorted({str(text) for tensors in data for text in tensors[each.name].flat})))
        for each in inputs
        if each.dtype == "string" and data
    }


def _with_states(data: Sequence[Tensors], inputs: Sequence[Input], states: Sequence[State]) -> list[list[Calls]]:
    fed = {state.input for state in states}
    shapes = {each.name: each for each in inputs if each.name in fed}

    def zeros(each: Input, tensors: Tensors) -> Array:
        lengths = {
            dimension: tensors[other.name].shape[axis]
            for other in inputs
            if other.name in tensors
            for axis, dimension in enumerate(other.shape)
        }
        return np.zeros([lengths.get(length, length) for length in each.shape], each.dtype)

    return [[(tensors | {name: zeros(each, tensors) for name, each in shapes.items()},)] for tensors in data]


def _check_deterministic(asked: Sequence[Asked], run: Infer, source: Source, states: Sequence[State]) -> None:
    again = [run_calls(run, each.calls, states) for each in asked]
    name = find_difference([each.outputs for each in asked], again, source.precision)
    if name:
        _refuse_chance(f"output {name}: two runs of the source model on equal inputs differ", source)


def _check_unchanged(prober: Prober, run: Infer, source: Source) -> None:
    """Ask the very first question once more: a model that counts its calls may have been the same for some of them."""
    assert prober.first is not None
    tensors, outputs = prober.first
    name = find_difference([(outputs,)], [(run(tensors),)], source.precision)
    if name:
        _refuse_chance(f"output {name}: the source model's first answer is another one after more questions", source)


def _refuse_chance(what: str, source: Source) -> None:
    suspects = ", ".join(source.find_random_operations())[:300] or "none found"
    message = f"{what}; random operations, or numbers that it changes while it answers: {suspects}"
    raise ModelportError(Reason.NON_DETERMINISTIC, message)


def _check_builds(asked: Sequence[Asked], source: Source, states: Sequence[State]) -> None:
    if source.rebuild is None:
        return
    other = source.rebuild()
    others = [run_calls(other, each.calls, states) for each in asked]
    name = find_difference([each.outputs for each in asked], others, source.precision)
    if name:
        unstored = ", ".join(source.find_unstored())[:250] or "numbers that the model makes up"
        message = (
            f"output {name}: answers differ between two builds of the model: {unstored} are in no file; save them "
            "with the weights, or make them without chance"
        )
        raise ModelportError(Reason.WEIGHTS_MISMATCH, message)


def _lengths_asked(inputs: Sequence[Input], samples: Sequence[Sample]) -> dict[str, tuple[int, int]]:
    found: dict[str, set[int]] = {}
    for sample in samples:
        for each in inputs:
            for axis, dimension in enumerate(each.shape):
                if isinstance(dimension, str):
                    found.setdefault(dimension, set()).add(int(sample.inputs[0][each.name].shape[axis]))
    return {name: (min(lengths), max(lengths)) for name, lengths in found.items()}


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
    tensors: list[Tensors] = [sample.inputs[0] for sample in samples]
    return [int(each[name].shape[axis]) for each in tensors]
