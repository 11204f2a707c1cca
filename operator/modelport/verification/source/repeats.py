"""Ask the source again in ways that only noise can tell apart: what no conversion can be blamed for.

Inputs moved by one unit in the last place, or the weights where no input can move; the batch in other pieces, row by
row, in another order: all change nothing that the model was trained to see, and everything about the order and rounding
of its sums. What follows from places alone, such as where a resize looks, rounds as well, and moves with none of these:
the same in float64 shows it. Other counts of threads show nothing: ONNX Runtime gives the same bits with one and with two.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from modelport.api.base import Dtype
from modelport.api.spec import Input
from modelport.api.status import Tensor
from modelport.errors import lacks_memory
from modelport.verification.arrays import Array
from modelport.verification.calls import Calls
from modelport.verification.measure.precision import is_float
from modelport.verification.measure.sameness import is_other, noise_of
from modelport.verification.reference import Answers
from modelport.verification.samples.lengths import find_batch
from modelport.verification.source.answering import Asked
from modelport.verification.source.moving import move_calls
from modelport.verification.verdict.judgement import MAX_LIMIT

Ask = Callable[[Calls], Answers]

OTHER_QUESTION = 1e-3
"""Relative RMS above which rows depend on one another, so that other company is another question, not noise."""
OTHER_LABELS = 0.01
"""The same for labels, as a share: those at a tie may flip by noise."""
WIDENED_SAMPLES = 2
"""How many samples are asked in float64, which takes a model twice as long: the largest of those that are asked in all
ways, whose places round most."""
KINDS = 5
MAX_ROWS = 12
"""That are asked one by one; the pieces of more rows show as much."""
SECONDS = 0.5
MAX_BYTES = 256 << 20
"""Of all repeats; an answer that is too large for all kinds gets the first ones."""


class Ways(NamedTuple):
    """How the source can be asked."""

    plain: Ask
    moved: Ask | None = None
    """With its weights moved."""
    wide: Ask | None = None
    """In float64."""


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
    ways: Ways,
    axes: Axes,
    precision: Dtype,
    *,
    movable: Collection[str],
    generated: int,
) -> list[tuple[Answers, ...]]:
    """Return the same kinds of repeats for each question, in the same order.

    The answer itself stands in where a kind does not apply, or where the first kind has to do: an answer takes long, or
    the question is the user's own, beside those `generated`, of which there may be many. Inputs in `movable` move; one
    unit in the last place of another is another question.
    """
    often = [number for number, each in enumerate(asked[:generated]) if each.seconds <= SECONDS]
    largest = sorted(often, key=lambda number: -_size(asked[number].calls))[:WIDENED_SAMPLES]
    repeater = _Repeater(ways, axes, max(OTHER_QUESTION, noise_of(precision)), movable, largest)
    plain = [each.outputs for each in asked]
    repeats = []
    for position, kind in enumerate(repeater.kinds[: _affordable(asked)]):
        found = [
            kind.ask(calls, answers, seed) if position == 0 or seed in often else None
            for seed, (calls, answers, _) in enumerate(asked)
        ]
        repeats.append(_fit_all(found, plain, kind))
    return list(zip(*repeats, strict=True))


def _affordable(asked: Sequence[Asked]) -> int:
    size = sum(array.nbytes for each in asked for outputs in each.outputs for array in outputs.values())
    return int(max(1, min(KINDS, MAX_BYTES // max(1, size))))


def _size(calls: Calls) -> int:
    return sum(array.size for tensors in calls for array in tensors.values())


Found = Sequence[Mapping[str, Array | None]]
"""Answers to another question, maybe: no array where rows cannot be told apart."""


class _Kind(NamedTuple):
    """A way to repeat a question."""

    ask: Callable[[Calls, Answers, int], Found | None]
    """By calls, their answers, and the number of the sample; None where it does not apply."""
    limit: float | None = None
    """Relative RMS from which on it is another question; None: it never is."""
    is_of_rows: bool = False
    """Whether it is another question for all samples if it is for one: an output's rows depend on one another, or not."""

    def is_other(self, found: Array | None, plain: Array) -> bool:
        """Return whether an array answers another question; what cannot be compared answers none."""
        return self.limit is not None and is_other(plain, _or(found, plain), self.limit, OTHER_LABELS)


class _Repeater:
    def __init__(
        self, ways: Ways, axes: Axes, limit: float, movable: Collection[str], largest: Collection[int]
    ) -> None:
        self._ask, self._ask_moved, self._ask_wide = ways
        self._axes, self._movable, self._largest = axes, movable, largest
        # a table of numbers that are no weights, such as places, is another one when it moves
        moved = (_Kind(self._moved, limit if ways.moved else None),) if movable or ways.moved else ()
        # a conversion that keeps the source's roundings is right, whatever these are: they may excuse, and not refuse
        widened = (_Kind(self._widened, min(limit, MAX_LIMIT)),) if ways.wide else ()
        of_rows = (_Kind(each, limit, is_of_rows=True) for each in (self._halved, self._alone, self._permuted))
        self.kinds = (*moved, *widened, *of_rows)

    def _moved(self, calls: Calls, _plain: Answers, seed: int) -> Found | None:
        moved = move_calls(calls, np.random.default_rng([seed]), self._movable)
        return _try(self._ask_moved or self._ask, moved)

    def _widened(self, calls: Calls, plain: Answers, seed: int) -> Found | None:
        """Return the answers in float64, narrowed: what else rounds than inputs and weights, such as places in a row."""
        answers = _try(self._ask_wide, calls) if self._ask_wide and seed in self._largest else None
        return None if answers is None else _narrow(answers, plain)

    def _halved(self, calls: Calls, plain: Answers, _seed: int) -> Found | None:
        rows = self._rows(calls)
        middle = max(1, rows // 3)
        return self._in_pieces(calls, plain, [np.arange(middle), np.arange(middle, rows)])

    def _alone(self, calls: Calls, plain: Answers, _seed: int) -> Found | None:
        rows = self._rows(calls)
        # two rows are alone in the pieces already
        return None if rows > MAX_ROWS or rows == 2 else self._in_pieces(calls, plain, list(np.arange(rows)[:, None]))  # noqa: PLR2004

    def _permuted(self, calls: Calls, plain: Answers, _seed: int) -> Found | None:
        return self._in_pieces(calls, plain, [np.arange(self._rows(calls))[::-1]])

    def _rows(self, calls: Calls) -> int:
        lengths = {calls[0][name].shape[axis] for name, axis in self._axes.inputs.items()}
        return lengths.pop() if len(lengths) == 1 else 0

    def _in_pieces(self, calls: Calls, plain: Answers, pieces: Sequence[Array]) -> Found | None:
        """Return the joined answers to the pieces, each an array of row numbers; None where rows are not answered."""
        if self._rows(calls) < 2:  # noqa: PLR2004  # nothing to split
            return None
        answers = [_try(self._ask, self._take(calls, rows)) for rows in pieces]
        if any(each is None for each in answers):
            return None
        order = np.argsort(np.concatenate(pieces))
        return tuple(
            {name: self._join(name, [each[call][name] for each in answers if each], order) for name in outputs}
            for call, outputs in enumerate(plain)
        )

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
    except Exception as error:  # a batch that the source does not take is a repeat that cannot be made
        if lacks_memory(error):
            raise
        return None


def _narrow(answers: Answers, plain: Answers) -> list[dict[str, Array]]:
    return [
        {name: _as(found[name], expected[name].dtype) for name in found if name in expected}
        for found, expected in zip(answers, plain, strict=True)
    ]


def _as(array: Array, dtype: np.dtype[Any]) -> Array:
    with np.errstate(over="ignore"):
        return array.astype(dtype) if is_float(array.dtype) and is_float(dtype) else array


def _fit_all(found: Sequence[Found | None], plain: Sequence[Answers], kind: _Kind) -> list[Answers]:
    """Return the answers of one kind, with the `plain` ones for outputs that answer another question."""
    others = {
        name
        for calls, own in zip(found, plain, strict=True)
        for given, answer in zip(calls or (), own, strict=False)
        for name, array in answer.items()
        if kind.is_of_rows and kind.is_other(given.get(name), array)
    }
    return [
        tuple(
            {
                name: array if name in others or kind.is_other(given.get(name), array) else _or(given.get(name), array)
                for name, array in answer.items()
            }
            for given, answer in zip(calls, own, strict=True)
        )
        if calls is not None
        else own
        for calls, own in zip(found, plain, strict=True)
    ]


def _or(found: Array | None, plain: Array) -> Array:
    return plain if found is None or (found.shape, found.dtype) != (plain.shape, plain.dtype) else found
