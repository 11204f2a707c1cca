"""Ask a model a sample: one call after the other, with its own outputs fed back as states."""

from collections.abc import Callable, Iterator, Sequence

from modelport.api.spec import State
from modelport.verification.arrays import Tensors

Calls = tuple[Tensors, ...]
"""A question: the inputs of each call; those after the first hold no states."""
Infer = Callable[[Tensors], Tensors]
"""Inputs by name to outputs by name, in the model's order."""


def run_calls(infer: Infer, inputs: Sequence[Tensors], states: Sequence[State]) -> tuple[Tensors, ...]:
    """Return the outputs of each call. The first call's inputs hold the initial states, later ones' do not."""
    return tuple(iterate_calls(infer, inputs, states))


def iterate_calls(infer: Infer, inputs: Sequence[Tensors], states: Sequence[State]) -> Iterator[Tensors]:
    """Yield the same, so that an answer can be checked before it is fed back."""
    answers: Tensors = {}
    for number, tensors in enumerate(inputs):
        fed = {state.input: answers[state.output] for state in states} if number else {}
        answers = infer(tensors | fed)
        yield answers
