"""Ask a model a sample: one call after the other, with its own outputs fed back as states."""

from collections.abc import Callable, Sequence

from modelport.api import State
from modelport.verification.arrays import Tensors

Infer = Callable[[Tensors], Tensors]
"""Inputs by name to outputs by name, in the model's order."""


def run_calls(infer: Infer, inputs: Sequence[Tensors], states: Sequence[State]) -> tuple[Tensors, ...]:
    """Return the outputs of each call. The first call's inputs hold the initial states, later ones' do not."""
    answers: list[Tensors] = []
    for tensors in inputs:
        fed = {state.input: answers[-1][state.output] for state in states} if answers else {}
        answers.append(infer(tensors | fed))
    return tuple(answers)
