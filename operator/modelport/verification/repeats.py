"""Ask the source again in ways that only noise can tell apart: what no conversion can be blamed for.

Inputs moved by one unit in the last place, or the weights where no input can move; the batch in other pieces, row by
row, in another order: all change nothing that the model was trained to see, and everything about the order and rounding
of its sums. Other counts of threads show nothing: ONNX Runtime gives the same bits with one and with two.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from modelport.api import Dtype, Input, Tensor
from modelport.verification.arrays import Array
from modelport.verification.asking import Asked
from modelport.verification.moving import move_input
from modelport.verification.reference import Answers
from modelport.verification.sameness import is_other, noise_of
from modelport.verification.samples.lengths import find_batch
from modelport.verification.samples.plan import Calls

Ask = Callable[[Calls], Answers]

OTHER_QUESTION = 1e-3
"""Relative RMS above which rows depend on one another, so that other company is another question, not noise."""
OTHER_LABELS = 0.01
"""The same for labels, as a share: those at a tie may flip by noise."""
KINDS = 4
MAX_ROWS = 40
SECONDS = 0.5
MAX_BYTES = 256 << 20
"""Of all repeats; an answer that is too large for all kinds gets the first ones."""


class Axes(NamedTuple):
    """Where the batch is, by input and by output; what is not in here has no batch."""

    inputs: Mapping[str, int]
    outputs: Mapping[str, int]


def find_axes(inputs: Sequence[Input], outputs: Sequence[Tensor]) -> Axes:
    """Return the axes that have the batch's name."""
    batch = find_batch(inputs)
    if batch is None:
        return Axes({}, {})
    return Axes(
        {each.name: each.shape.index(batch) for each in inputs if batch in each.shape},
        {each.name: each.shape.index(batch) for each in outputs if batch in each.shape},
    )


def make_repeats(
    asked: Sequence[Asked],
    ask: Ask,
    ask_moved: Ask | None,
    axes: Axes,
    precision: Dtype,
    *,
    movable: Collection[str],
    generated: int,
) -> list[tuple[Answers, ...]]:
    """Return the same kinds of repeats for each question, in the same order.

    The answer itself stands in where a kind does not apply, or where the first kind has to do: an answer takes long, or
    the question is the user's own, beside those `generated`, of which there may be many. Inputs in `movable` move; one
    unit in the last place of another is another question. `ask_moved` asks with the weights moved.
    """
    limit = max(OTHER_QUESTION, noise_of(precision))
    repeater = _Repeater(ask, ask_moved, axes, limit, movable)
    kinds = repeater.kinds[: _affordable(asked)]
    repeats = []
    for seed, (calls, answers, seconds) in enumerate(asked):
        is_costly = seconds > SECONDS or seed >= generated
        made = tuple(kind(calls, answers, seed) for kind in kinds[: 1 if is_costly else KINDS])
        repeats.append((*made, *(answers for _ in kinds[len(made) :])))
    return repeats


def _affordable(asked: Sequence[Asked]) -> int:
    size = sum(array.nbytes for each in asked for outputs in each.outputs for array in outputs.values())
    return int(max(1, min(KINDS, MAX_BYTES // max(1, size))))


class _Repeater:
    def __init__(self, ask: Ask, ask_moved: Ask | None, axes: Axes, limit: float, movable: Collection[str]) -> None:
        self._ask, self._ask_moved, self._axes, self._limit, self._movable = ask, ask_moved, axes, limit, movable
        moved = (self._moved,) if movable or ask_moved else ()
        self.kinds = (*moved, self._halved, self._alone, self._permuted)

    def _moved(self, calls: Calls, plain: Answers, seed: int) -> Answers:
        random = np.random.default_rng([seed])
        moved = tuple(
            {name: move_input(array, random) if name in self._movable else array for name, array in tensors.items()}
            for tensors in calls
        )
        answers = _try(self._ask_moved or self._ask, moved)
        # a table of numbers that are no weights, such as places, is another one when it moves
        return plain if answers is None else _fitting(answers, plain, self._limit if self._ask_moved else None)

    def _halved(self, calls: Calls, plain: Answers, _seed: int) -> Answers:
        rows = self._rows(calls)
        middle = max(1, rows // 3)
        return self._in_pieces(calls, plain, [np.arange(middle), np.arange(middle, rows)])

    def _alone(self, calls: Calls, plain: Answers, _seed: int) -> Answers:
        rows = self._rows(calls)
        # two rows are alone in the pieces already
        return plain if rows > MAX_ROWS or rows == 2 else self._in_pieces(calls, plain, list(np.arange(rows)[:, None]))  # noqa: PLR2004

    def _permuted(self, calls: Calls, plain: Answers, _seed: int) -> Answers:
        return self._in_pieces(calls, plain, [np.arange(self._rows(calls))[::-1]])

    def _rows(self, calls: Calls) -> int:
        lengths = {calls[0][name].shape[axis] for name, axis in self._axes.inputs.items()}
        return lengths.pop() if len(lengths) == 1 else 0

    def _in_pieces(self, calls: Calls, plain: Answers, pieces: Sequence[Array]) -> Answers:
        """Return the joined answers to the pieces, each an array of row numbers; `plain` where rows are not answered."""
        if self._rows(calls) < 2:  # noqa: PLR2004  # nothing to split
            return plain
        answers = [_try(self._ask, self._take(calls, rows)) for rows in pieces]
        if any(each is None for each in answers):
            return plain
        order = np.argsort(np.concatenate(pieces))
        joined = tuple(
            {name: self._join(name, [each[call][name] for each in answers if each], order) for name in outputs}
            for call, outputs in enumerate(plain)
        )
        return _fitting(joined, plain, self._limit)

    def _take(self, calls: Calls, rows: Array) -> Calls:
        def take(name: str, array: Array) -> Array:
            return np.take(array, rows, self._axes.inputs[name]) if name in self._axes.inputs else array

        return tuple({name: take(name, array) for name, array in tensors.items()} for tensors in calls)

    def _join(self, name: str, parts: list[Array], order: Array) -> Array | None:
        axis = self._axes.outputs.get(name)
        if axis is None:
            return parts[0]
        shapes = {(*part.shape[:axis], *part.shape[axis + 1 :]) for part in parts}
        if len(shapes) > 1 or sum(part.shape[axis] for part in parts) != len(order):
            return None  # ragged: rows cannot be told apart
        return np.take(np.concatenate(parts, axis), order, axis)


def _try(ask: Ask, calls: Calls) -> Answers | None:
    try:
        return ask(calls)
    except Exception:  # noqa: BLE001  # a batch that the source does not take is a repeat that cannot be made
        return None


def _fitting(answers: Sequence[Mapping[str, Array | None]], plain: Answers, limit: float | None) -> Answers:
    """Return the answers, with `plain` ones for outputs that are answers to another question."""
    return tuple(
        {name: _fit(found.get(name), array, limit) for name, array in expected.items()}
        for found, expected in zip(answers, plain, strict=True)
    )


def _fit(found: Array | None, plain: Array, limit: float | None) -> Array:
    if found is None or found.shape != plain.shape or found.dtype != plain.dtype:
        return plain
    if limit is not None and is_other(plain, found, limit, OTHER_LABELS):
        return plain
    return found
