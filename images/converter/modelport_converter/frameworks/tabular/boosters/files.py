"""Files of XGBoost and LightGBM: read by our own reader, and asked through the library."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modelport.api.reasons import Reason
from modelport.errors import ModelportError, lacks_memory
from modelport.verification.arrays import Array, Tensors
from modelport_converter.frameworks.tabular.boosters.lightgbm_text import parse_lightgbm, read_lightgbm
from modelport_converter.frameworks.tabular.boosters.links import write_boosted, write_classes, write_margins
from modelport_converter.frameworks.tabular.boosters.model import Boosted, read_whole, reading
from modelport_converter.frameworks.tabular.boosters.xgboost_json import SAVED_BY_CLASS, parse_xgboost, read_xgboost
from modelport_converter.tables.answers import LABEL, PREDICTION, PROBABILITIES
from modelport_converter.tables.frames import MISSING, OTHER, Category, Column, Frame
from modelport_converter.tables.table import Rows, Table
from modelport_converter.tasks import last_line


def open_xgboost(path: Path) -> Table:
    """Return the model of a file in JSON or UBJSON. Raises ModelportError."""
    import xgboost

    model = read_xgboost(path)
    if not model.is_classifier:
        return _of_booster(model, _loaded(lambda: xgboost.Booster(model_file=str(path)), path))
    return _of_classifier(model, _loaded(lambda: _classifier(path), path))


def open_xgboost_booster(booster: Any) -> Table:
    """Return the model of a Booster. Raises ModelportError."""
    with reading("Booster", "a model of XGBoost"):
        return _of_booster(parse_xgboost(bytes(booster.save_raw("json"))), booster)


def _of_booster(model: Boosted, booster: Any) -> Table:
    best = booster.attr("best_iteration") if booster.attr(SAVED_BY_CLASS) else None
    rounds = (0, 0 if best is None else int(best) + 1)

    def ask(rows: Rows) -> Tensors:
        return {PREDICTION: booster.predict(xgboost_matrix(booster, model.columns, rows), iteration_range=rounds)}

    return _table(model, ask, (MISSING,))


def _classifier(path: Path) -> Any:
    import xgboost

    found = xgboost.XGBClassifier(enable_categorical=True)
    found.load_model(str(path))
    return found


def _of_classifier(model: Boosted, classifier: Any) -> Table:
    has_categories = any(column.categories for column in model.columns)

    def ask(rows: Rows) -> Tensors:
        table = with_categories(model.columns, rows) if has_categories else rows.matrix()
        labels = classifier.predict(table, validate_features=False)
        return {LABEL: labels, PROBABILITIES: classifier.predict_proba(table, validate_features=False)}

    return _table(model, ask, (MISSING,))


def xgboost_matrix(booster: Any, columns: Sequence[Column], rows: Rows) -> Any:
    """Return a table as XGBoost takes it; of columns with categories as pandas has them."""
    import xgboost

    if any(column.categories for column in columns):
        return xgboost.DMatrix(with_categories(columns, rows), enable_categorical=True)
    names, types = booster.feature_names, booster.feature_types
    return xgboost.DMatrix(
        rows.matrix().astype(np.float32), feature_names=names, feature_types=types, enable_categorical=True
    )


def open_lightgbm(path: Path) -> Table:
    """Return the model of a text file. Raises ModelportError."""
    import lightgbm

    model = read_lightgbm(path)
    # its own reader looks for the end of a last line that has none, and never comes back
    text = read_whole(path).decode().rstrip() + "\n"
    return _of_lightgbm(model, _loaded(lambda: lightgbm.Booster(model_str=text), path))


def open_lightgbm_booster(booster: Any) -> Table:
    """Return the model of a Booster, with the rounds that it predicts by. Raises ModelportError."""
    with reading("Booster", "a model of LightGBM"):
        return _of_lightgbm(parse_lightgbm(booster.model_to_string(num_iteration=booster.best_iteration)), booster)


def _of_lightgbm(model: Boosted, booster: Any) -> Table:
    def ask(rows: Rows) -> Tensors:
        table = (
            with_categories(model.columns, rows) if any(each.categories for each in model.columns) else rows.matrix()
        )
        return {PREDICTION: booster.predict(table)}

    return _table(model, ask, (MISSING, OTHER))


def with_categories(columns: Sequence[Column], rows: Rows) -> Any:
    """Return a table of pandas whose columns of categories are such; what is none of them is missing."""
    import pandas as pd

    return pd.DataFrame(
        {
            column.name: pd.Categorical(_known(values, column.categories), categories=_index(column.categories))
            if column.categories
            else values
            for column, values in zip(columns, rows.columns, strict=True)
        }
    )


def _known(values: Array, categories: Sequence[Category]) -> Array:
    known = set(categories)
    if all(isinstance(each, str) for each in categories):
        return np.array([each if each in known else None for each in values], object)
    whole = all(float(each).is_integer() for each in categories)
    return np.array([(int(each) if whole else each) if each in known else None for each in values], object)


def _index(categories: Sequence[Category]) -> Any:
    import pandas as pd

    is_whole = all(not isinstance(each, str) and each.is_integer() for each in categories)
    return pd.Index([int(each) for each in categories] if is_whole else list(categories))


def _table(model: Boosted, ask: Callable[[Rows], Tensors], more: Sequence[str]) -> Table:
    def write(frame: Frame) -> Mapping[str, str]:
        if not model.is_classifier:
            return {PREDICTION: write_boosted(model, frame)}
        answers = write_classes(frame.graph, model, write_margins(model, frame))
        return dict(zip((LABEL, PROBABILITIES), answers, strict=True))

    return Table(told_columns(model, more), ask, write)


def told_columns(model: Boosted, more: Sequence[str]) -> list[Column]:
    """Return the columns with what there is to ask."""
    thresholds = model.forest.thresholds_by_column()
    return [
        column._replace(
            thresholds=thresholds[number],
            is_missing_known=True,
            texts=tuple(map(str, (*column.categories, *more))) if column.is_text else (),
        )
        for number, column in enumerate(model.columns)
    ]


def _loaded(load: Callable[[], Any], path: Path) -> Any:
    try:
        return load()
    except Exception as error:  # whatever the library raises
        if lacks_memory(error):
            raise
        message = f"{path.name}: expected a model that its library loads, found: {last_line(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
