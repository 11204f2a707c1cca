"""Encoders of categories, as tables: what the library itself makes of each category, of an unknown one, and of a missing one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn import preprocessing

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array
from modelport_converter.frameworks.tabular.writer import Writer
from modelport_converter.tables.frames import MISSING, OTHER, Block, Frame, find_in

Category = str | float


def known_categories(values: Sequence[Any]) -> list[Category]:
    """Return the categories that are not missing, as texts or numbers. Raises ModelportError for others (ConversionFailed)."""
    known = [value for value in values if not is_missing(value)]
    other = next((value for value in known if not isinstance(value, (str, bool, int, float, np.generic))), None)
    if other is not None:
        message = f"a category of type {type(other).__name__}: texts and numbers are converted alone; make it one of these before the model"
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    return [value if isinstance(value, str) else float(value) for value in known]


def is_missing(value: Any) -> bool:
    """Whether a value stands for a missing one."""
    return value is None or (isinstance(value, float | np.floating) and bool(np.isnan(value)))


def _encode(_writer: Writer, estimator: Any, frame: Frame) -> Frame:
    widths = _widths(estimator)
    starts = np.cumsum([0, *widths])
    blocks = []
    for number, width in enumerate(widths):
        column = frame.column(number)
        if width:
            rows = _rows(estimator, number, slice(starts[number], starts[number + 1]), is_text=column.is_text)
            blocks.append(_look_up(frame, column, known_categories(estimator.categories_[number]), rows))
    return Frame(
        frame.graph, tuple(Block(value, width) for value, width in zip(blocks, filter(None, widths), strict=True))
    )


def _widths(estimator: Any) -> list[int]:
    """Return how many columns each one becomes."""
    if isinstance(estimator, preprocessing.OneHotEncoder):
        return [int(each) for each in estimator._n_features_outs]  # noqa: SLF001  # behind drop and rare ones
    count = len(estimator.classes_) if getattr(estimator, "target_type_", "") == "multiclass" else 1
    return [count] * len(estimator.categories_)


def _rows(estimator: Any, number: int, place: slice, *, is_text: bool) -> Array:
    """Return what becomes of each category, then of an unknown one, and of a missing one; zeros where it is refused."""
    categories = known_categories(estimator.categories_[number])
    unknown = OTHER if is_text else max([float(each) for each in categories], default=0.0) + 1.5
    asked = [*categories, unknown, np.nan]
    first: list[Any] = [next(iter(known_categories(each)), np.nan) for each in estimator.categories_]
    found = []
    for value in asked:
        row = np.array([first], object)
        row[0, number] = value
        try:
            answer = estimator.transform(row if is_text or _has_text(first) else row.astype(np.float64))
        except ValueError:
            found.append(np.zeros(place.stop - place.start))
            continue
        answer = answer.toarray() if hasattr(answer, "toarray") else np.asarray(answer)
        found.append(answer[0, place].astype(np.float64))
    return np.stack(found)


def _has_text(values: Sequence[Any]) -> bool:
    return any(isinstance(value, str) for value in values)


def _look_up(frame: Frame, column: Block, categories: Sequence[Category], rows: Array) -> str:
    graph, count = frame.graph, len(categories)
    if column.is_text:
        keys = [str(each) for each in categories]
        missing = [MISSING] if MISSING not in keys else []
        index = find_in(graph, column, [*keys, *missing])
        if missing:
            index = graph.add(
                "Where", graph.add("Equal", index, np.array(count, np.int64)), np.array(count + 1, np.int64), index
            )
    else:
        index = find_in(graph, column, categories or [0.0])
        index = graph.add("Where", graph.add("IsNaN", column.value), np.array(count + 1, np.int64), index)
    index = graph.add("Where", graph.add("Less", index, np.array(0, np.int64)), np.array(count, np.int64), index)
    return graph.add("Gather", rows, graph.reshape(index, -1), axis=0)


TRANSFORMERS = dict.fromkeys(
    (preprocessing.OneHotEncoder, preprocessing.OrdinalEncoder, preprocessing.TargetEncoder), _encode
)
