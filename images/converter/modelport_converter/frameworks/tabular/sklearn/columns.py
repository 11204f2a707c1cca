"""What columns an estimator takes: their names, texts or numbers, and what there is to ask of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn import compose, impute, pipeline, preprocessing

from modelport.verification.arrays import Array
from modelport_converter.frameworks.tabular.sklearn.combining import INNER, parts_of, steps_of
from modelport_converter.frameworks.tabular.sklearn.forests import HISTOGRAMS, trees_of
from modelport_converter.frameworks.tabular.sklearn.transforming.encoding import is_missing, known_categories
from modelport_converter.tables.frames import MISSING, OTHER, Column

ENCODERS = (preprocessing.OneHotEncoder, preprocessing.OrdinalEncoder, preprocessing.TargetEncoder)
Ends = Sequence[Sequence[float]]


def _around(middle: Any, scale: Any) -> Ends:
    """Return numbers far below, at, and far above the middle of each column; where there is no scale, none."""
    if scale is None:
        return [[]]
    size = np.asarray(scale, np.float64)
    middle = np.zeros_like(size) if middle is None else np.asarray(middle, np.float64)
    return [each.tolist() for each in (middle - 3 * size, middle, middle + 3 * size)]


SPREADS: Mapping[type, Callable[[Any], Ends]] = {
    preprocessing.StandardScaler: lambda scaler: _around(scaler.mean_, scaler.scale_),
    preprocessing.RobustScaler: lambda scaler: _around(
        getattr(scaler, "center_", None), getattr(scaler, "scale_", None)
    ),
    preprocessing.MinMaxScaler: lambda scaler: [scaler.data_min_.tolist(), scaler.data_max_.tolist()],
    preprocessing.MaxAbsScaler: lambda scaler: _around(None, scaler.max_abs_ / 3),
    preprocessing.QuantileTransformer: lambda scaler: scaler.quantiles_[[0, -1]].tolist(),
}
"""Where the numbers lie that a scaler was trained on, lists by column: what is behind it is not reached by others."""
MAX_PROBED = 512
"""Columns whose missing numbers are tried."""
Described = dict[int, Column]
Describe = Callable[[Any], Described | None]


def find_columns(estimator: Any, others: Mapping[type, Describe]) -> list[Column]:
    """Return the columns, in order; `others` describes estimators of other libraries."""
    width = int(getattr(estimator, "n_features_in_", 1))
    given = getattr(estimator, "feature_names_in_", ())
    if not len(given):
        given = getattr(estimator, "feature_names_", ()) or [f"column_{number}" for number in range(width)]
    names = list(map(str, given))
    found: Described = {}
    for number, column in _describe(estimator, names, others):
        known = found.get(number)
        # of a column that is used twice, what is stricter counts
        found[number] = (
            column
            if known is None
            else known._replace(
                holds_text=known.holds_text or column.holds_text,
                texts=tuple(dict.fromkeys((*known.texts, *column.texts))),
                thresholds=(*known.thresholds, *column.thresholds),
                is_exact=known.is_exact or column.is_exact,
            )
        )
    return [found.get(number, Column(""))._replace(name=name) for number, name in enumerate(names)]


def _describe(  # noqa: C901, PLR0912  # one branch for each kind
    estimator: Any, names: Sequence[str], others: Mapping[type, Describe]
) -> Iterator[tuple[int, Column]]:
    kind = type(estimator)
    if kind in others:
        yield from (others[kind](estimator) or {}).items()
    elif kind in INNER:
        yield from _describe(getattr(estimator, INNER[kind]), names, others)
    elif kind is pipeline.Pipeline:
        for step in steps_of(estimator):
            yield from _describe(step, names, others)
            if type(step) is not impute.SimpleImputer or step.add_indicator or any(map(is_missing, step.statistics_)):
                break
    elif kind is pipeline.FeatureUnion:
        for _, part in estimator.transformer_list:
            if not isinstance(part, str):
                yield from _describe(part, names, others)
    elif kind is compose.ColumnTransformer:
        for part, places in parts_of(estimator, names):
            if part is not None:
                for number, column in _describe(part, [names[place] for place in places], others):
                    yield places[number], column
    elif kind in HISTOGRAMS and getattr(estimator, "_preprocessor", None) is not None:
        yield from _describe(estimator._preprocessor, names, others)  # noqa: SLF001  # numbers the categories
    elif kind in ENCODERS:
        yield from ((number, _encoded(values)) for number, values in enumerate(estimator.categories_))
    elif kind is impute.SimpleImputer:
        yield from (
            (number, Column("", holds_text=isinstance(value, str), thresholds=_marks(estimator.missing_values)))
            for number, value in enumerate(estimator.statistics_)
        )
    elif hasattr(estimator, "vocabulary_"):
        words = sorted(map(str, estimator.vocabulary_))[:1000]
        yield 0, Column("", holds_text=True, texts=(*words, " ".join(words[:9]), " ".join(words[5:20]), OTHER))
    elif type(estimator) is preprocessing.KBinsDiscretizer:
        yield from (
            (number, Column("", thresholds=tuple(map(float, edges))))
            for number, edges in enumerate(estimator.bin_edges_)
        )
    elif kind in SPREADS:
        yield from (
            (number, Column("", thresholds=each))
            for number, each in enumerate(zip(*SPREADS[kind](estimator), strict=True))
        )
    elif (forest := trees_of(estimator)) is not None:
        yield from ((number, Column("", thresholds=each)) for number, each in enumerate(forest.thresholds_by_column()))


def _marks(missing: Any) -> tuple[float, ...]:
    """Return the number that stands for a missing one, where that is not NaN."""
    is_number = isinstance(missing, (int, float, np.number)) and not is_missing(missing)
    return (float(missing),) if is_number else ()


def _encoded(values: Array) -> Column:
    known = known_categories(values.tolist())
    if any(isinstance(each, str) for each in known):
        return Column("", holds_text=True, texts=tuple(map(str, known)))
    return Column("", thresholds=tuple(float(each) for each in known), is_exact=True)


def probe(columns: Sequence[Column], answers: Callable[[list[Array]], object]) -> list[Column]:
    """Return the columns with what else is answered: missing numbers and texts, unknown texts, numbers between codes."""
    first = [_first(column) for column in columns]

    def takes(number: int, value: Any) -> bool:
        row = [*first[:number], value, *first[number + 1 :]]
        try:
            answers([np.array([each], object if isinstance(each, str) else np.float64) for each in row])
        except Exception:  # noqa: BLE001  # whatever a library refuses by
            return False
        return True

    found = []
    for number, column in enumerate(columns):
        if number >= MAX_PROBED:
            found.append(column)
        elif column.is_text:
            is_missing_known = MISSING not in column.texts and takes(number, MISSING)
            more = [*([MISSING] if is_missing_known else []), *([OTHER] if takes(number, OTHER) else [])]
            found.append(
                column._replace(texts=tuple(dict.fromkeys((*column.texts, *more))), is_missing_known=is_missing_known)
            )
        else:
            is_missing_known = takes(number, np.nan)
            codes: tuple[int, ...] = ()
            is_coded = column.thresholds and all(each.is_integer() for each in column.thresholds)
            if is_coded and not takes(number, max(column.thresholds) + 1.5):
                codes = tuple(int(each) for each in column.thresholds)
            found.append(column._replace(codes=codes, is_missing_known=is_missing_known))
    return found


def _first(column: Column) -> Any:
    if column.is_text:
        return next(iter(column.texts), "")
    return next(iter(column.thresholds), 0.0)
