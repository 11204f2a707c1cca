"""States of recurrent models: what a user declares, and what looks as if it should be declared."""

import difflib
import re
from collections.abc import Sequence

from modelport.api.reasons import Reason
from modelport.api.spec import Input, State
from modelport.errors import ModelportError
from modelport.verification.arrays import Array, Tensors
from modelport.verification.samples.columns import is_float

_STATE = re.compile(r"(^|[_.\-])([hc]([nx]?|_?[0n])|cell|hidden|memory|past|cache)([_.\-\d]|$)|state", re.IGNORECASE)


def check_states(inputs: Sequence[Input], states: Sequence[State], answered: tuple[Tensors, Tensors] | None) -> None:
    """Raise ModelportError (InvalidSpec) for states that the model has not, or that do not fit together."""
    for state in states:
        _check_name("input", state.input, [each.name for each in inputs])
        if answered:
            asked, outputs = answered
            _check_name("output", state.output, list(outputs))
            taken, given = asked[state.input], outputs[state.output]
            if taken.shape != given.shape or taken.dtype != given.dtype:
                message = (
                    f"spec.source.states: input {state.input} takes {_describe(taken)}, output {state.output} gives "
                    f"{_describe(given)}; expected the same shape and type"
                )
                raise ModelportError(Reason.INVALID_SPEC, message)


def is_state_like(each: Input) -> bool:
    """Return whether an input is called as states are called."""
    return is_float(each.dtype) and bool(_STATE.search(each.name))


def suspect_states(
    inputs: Sequence[Input], states: Sequence[State], answered: tuple[Tensors, Tensors] | None
) -> list[str]:
    """Return what to tell about inputs that look like states, with an output of their shape, and are not declared."""
    if states or answered is None:
        return []
    asked, outputs = answered
    names = [each.name for each in inputs if is_state_like(each)]
    found = []
    for position, name in enumerate(names):
        fits = [output for output, array in outputs.items() if _describe(array) == _describe(asked[name])]
        last = fits[max(0, len(fits) - len(names)) :]  # states are answered last, in the order of the inputs
        if fits:
            found.append((name, _nearest(name, fits) or last[min(position, len(last) - 1)]))
    return [
        f"input {name} looks like a recurrent state: only single calls were verified; declare spec.source.states, such "
        f"as [{{input: {name}, output: {output}}}]"
        for name, output in found
    ]


def _check_name(kind: str, name: str, names: Sequence[str]) -> None:
    if name not in names:
        nearest = _nearest(name, names)
        meant = f"did you mean {nearest}?" if nearest else f"the model has: {', '.join(names)[:300]}"
        raise ModelportError(Reason.INVALID_SPEC, f"spec.source.states: the model has no {kind} {name}; {meant}")


def _nearest(name: str, names: Sequence[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name, names, n=1, cutoff=0.5)), None)


def _describe(array: Array) -> str:
    return f"{array.dtype}{list(array.shape)}"
