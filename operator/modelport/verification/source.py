"""Ask the source model: the source's half of the gate, run by step ask in the source's own framework."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from modelport.api import Dtype, Input, State, Tensor
from modelport.contract import ConvertRequest, ModelportError
from modelport.reasons import Reason
from modelport.verification.arrays import Array, Tensors
from modelport.verification.calls import Infer, run_calls
from modelport.verification.errors import describe_error
from modelport.verification.hints import Hint
from modelport.verification.reference import Answers, Reference, Sample
from modelport.verification.repeats import find_axes, is_other, make_repeats, noise_of
from modelport.verification.samples.plan import Calls, Plan, make_plan
from modelport.verification.samples.probing import Prober

__all__ = ["Hint", "Source", "ask_source", "describe_inputs", "describe_outputs"]

DIFFERENT = 1e-4
"""Relative RMS between two runs, or two builds, that threads alone do not explain."""
REBUILD_SAMPLES = 3


def _nothing() -> Sequence[str]:
    return ()


class Source(NamedTuple):
    """The source model, loaded; a framework fills it in."""

    inputs: Sequence[Input]
    run: Infer
    find_random_operations: Callable[[], Sequence[str]] = _nothing
    """Says, after runs, what makes two of them differ."""
    hints: Mapping[str, Hint] = {}
    """By input."""
    precision: Dtype = "float32"
    """The coarsest floating-point type that it computes with."""
    rebuild: Callable[[], Infer] | None = None
    """Builds the same model once more, from the same files under another seed: numbers that no file holds differ."""
    find_unstored: Callable[[], Sequence[str]] = _nothing
    """Says, after `rebuild`, which tensors of the two differ."""


def ask_source(source: Source, request: ConvertRequest, data: Sequence[Tensors]) -> Reference:
    """Return the source's answers to generated samples, to the user's `data` (by input, without states), and to edges.

    Raises ModelportError: InputsNeeded or SamplesNeeded where questions cannot be made, NonDeterministic where equal
    questions get other answers, WeightsMismatch where two builds of the model do, InvalidSpec, ConversionFailed.
    """
    run, states = _numbers_only(source.run), request.states
    prober = Prober(run)
    plan = make_plan(
        source.inputs,
        request.dimensions,
        prober,
        count=request.verification.samples,
        hints={**_vocabularies(source.inputs, data), **source.hints},
        states=states,
    )
    questions, answers = _ask_usual(plan, _with_states(data, source.inputs, states), run, states)
    again = [run_calls(run, calls, states) for calls in questions]
    _check_deterministic(answers, again, source)
    _check_builds(source, questions[:REBUILD_SAMPLES], answers, states)
    samples = [Sample(calls, outputs) for calls, outputs in zip(questions, answers, strict=True)]
    axes = find_axes(source.inputs, describe_outputs(source.inputs, samples))
    repeats = make_repeats(questions, again, lambda calls: run_calls(run, calls, states), axes, source.precision)
    samples = [sample._replace(repeats=each) for sample, each in zip(samples, repeats, strict=True)]
    edges = _ask_edges(plan, run, states)
    _check_unchanged(prober, run, source)
    return Reference(
        samples=(*samples, *edges),
        precision=source.precision,
        lengths=_lengths_asked(source.inputs, samples),
        caveats=tuple(plan.caveats),
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


def _vocabularies(inputs: Sequence[Input], data: Sequence[Tensors]) -> dict[str, Hint]:
    """Return the strings in the user's data: they are questions enough where the model does not tell any."""
    return {
        each.name: Hint(strings=tuple(sorted({str(text) for tensors in data for text in tensors[each.name].flat})))
        for each in inputs
        if each.dtype == "string" and data
    }


def _with_states(data: Sequence[Tensors], inputs: Sequence[Input], states: Sequence[State]) -> list[Calls]:
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

    return [(tensors | {name: zeros(each, tensors) for name, each in shapes.items()},) for tensors in data]


def _ask_usual(
    plan: Plan, data: Sequence[Calls], run: Infer, states: Sequence[State]
) -> tuple[list[Calls], list[Answers]]:
    asked = [_ask_one(ways, run, states) for ways in (*plan.usual, *([each] for each in data))]
    return [calls for calls, _ in asked], [answers for _, answers in asked]


def _ask_one(ways: Sequence[Calls], run: Infer, states: Sequence[State]) -> tuple[Calls, Answers]:
    """Return the first way to ask that gets finite numbers, or else the one that gets most of them."""
    best: tuple[int, Calls, Answers] | None = None
    refusal = ""
    for calls in ways:
        answers, why = _try(calls, run, states)
        refusal = refusal or why
        if answers is not None:
            count = sum(_non_finite(array) for outputs in answers for array in outputs.values())
            if best is None or count < best[0]:
                best = count, calls, answers
            if not count:
                break
    if best is None:
        found = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in ways[0][0].items())
        message = (
            f"the source model refuses {found:.200}: {refusal}; state the limits of lengths under "
            "spec.source.dimensions and of values under spec.source.inputs[].values"
        )
        raise ModelportError(Reason.INPUTS_NEEDED, message)
    return best[1:]


def _ask_edges(plan: Plan, run: Infer, states: Sequence[State]) -> list[Sample]:
    """Return what the source answers at the edges, where it answers with a number at all."""
    asked = [(calls, _try(calls, run, states)[0]) for calls in plan.edges]
    return [
        Sample(calls, answers, is_edge=True)
        for calls, answers in asked
        if answers is not None
        and any(_non_finite(array) < array.size for outputs in answers for array in outputs.values())
    ]


def _try(calls: Calls, run: Infer, states: Sequence[State]) -> tuple[Answers | None, str]:
    try:
        return run_calls(run, calls, states), ""
    except ModelportError:
        raise
    except Exception as error:  # noqa: BLE001  # a framework's errors have no common base; each one is the answer no
        return None, describe_error(error)


def _non_finite(array: Array) -> int:
    return 0 if array.dtype.kind in "biuO" else int(np.sum(~np.isfinite(array.astype(np.float64))))


def _check_deterministic(answers: Sequence[Answers], again: Sequence[Answers], source: Source) -> None:
    name = _differing(answers, again, source)
    if name:
        _refuse_chance(f"output {name}: two runs of the source model on equal inputs differ", source)


def _check_unchanged(prober: Prober, run: Infer, source: Source) -> None:
    """Ask the very first question once more: a model that counts its calls may have been the same for some of them."""
    assert prober.first is not None
    tensors, outputs = prober.first
    name = _differing([(outputs,)], [(run(tensors),)], source)
    if name:
        _refuse_chance(f"output {name}: the source model's first answer is another one after more questions", source)


def _refuse_chance(what: str, source: Source) -> None:
    suspects = ", ".join(source.find_random_operations())[:300] or "none found"
    message = f"{what}; random operations, or numbers that it changes while it answers: {suspects}"
    raise ModelportError(Reason.NON_DETERMINISTIC, message)


def _check_builds(
    source: Source, questions: Sequence[Calls], answers: Sequence[Answers], states: Sequence[State]
) -> None:
    if source.rebuild is None:
        return
    other = _numbers_only(source.rebuild())
    name = _differing(answers, [run_calls(other, calls, states) for calls in questions], source)
    if name:
        unstored = ", ".join(source.find_unstored())[:250] or "numbers that the model makes up"
        message = (
            f"output {name}: answers differ between two builds of the model: {unstored} are in no file; save them "
            "with the weights, or make them without chance"
        )
        raise ModelportError(Reason.WEIGHTS_MISMATCH, message)


def _differing(ones: Sequence[Answers], others: Sequence[Answers], source: Source) -> str | None:
    """Return the first output that differs in one of the pairs of answers."""
    limit = max(DIFFERENT, noise_of(source.precision))
    return next(
        (
            name
            for one, other in zip(ones, others, strict=False)
            for outputs, other_outputs in zip(one, other, strict=True)
            for name, array in outputs.items()
            if name not in other_outputs or is_other(array, other_outputs[name], limit)
        ),
        None,
    )


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
