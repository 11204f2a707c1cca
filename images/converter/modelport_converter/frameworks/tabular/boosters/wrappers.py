"""The classes that XGBoost, LightGBM and CatBoost have for scikit-learn, and their Boosters, out of pickles."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import xgboost

from modelport.verification.arrays import Array
from modelport_converter.frameworks.tabular.boosters import catboost_trees
from modelport_converter.frameworks.tabular.boosters.files import (
    open_lightgbm_booster,
    open_xgboost_booster,
    with_categories,
)
from modelport_converter.frameworks.tabular.boosters.lightgbm_text import parse_lightgbm
from modelport_converter.frameworks.tabular.boosters.links import write_boosted, write_classes, write_margins
from modelport_converter.frameworks.tabular.boosters.model import Boosted, reading
from modelport_converter.frameworks.tabular.boosters.xgboost_json import parse_xgboost
from modelport_converter.frameworks.tabular.writer import Writer
from modelport_converter.tables.answers import LABEL, PREDICTION, PROBABILITIES, Answers, classify
from modelport_converter.tables.frames import Block, Column, Frame
from modelport_converter.tables.table import Rows, Table

XGBOOST = (
    xgboost.XGBClassifier, xgboost.XGBRegressor, xgboost.XGBRanker, xgboost.XGBRFClassifier, xgboost.XGBRFRegressor,
)  # fmt: skip
CATBOOST = (catboost.CatBoost, catboost.CatBoostClassifier, catboost.CatBoostRegressor, catboost.CatBoostRanker)
LIGHTGBM = (lightgbm.LGBMClassifier, lightgbm.LGBMRegressor, lightgbm.LGBMRanker)


def read(estimator: Any) -> Boosted:
    """Return the trees of an estimator, as many as it answers with."""
    with reading(type(estimator).__name__, "a trained model"):
        if isinstance(estimator, XGBOOST):
            content, best = bytes(estimator.get_booster().save_raw("json")), _best_round(estimator)
            missing = math.nan if estimator.missing is None else float(estimator.missing)
            return parse_xgboost(content, best)._replace(missing=missing)
        booster = estimator.booster_
        return parse_lightgbm(booster.model_to_string(num_iteration=booster.best_iteration))


def complete(estimator: Any) -> None:
    """Give an estimator that an older LightGBM pickled what the one here looks for, as a new one would have it."""
    booster = vars(estimator).get("_Booster") if isinstance(estimator, LIGHTGBM) else None
    if booster is None:
        return
    width = booster.num_feature()
    new = vars(type(estimator)()) | {"fitted_": True, "_n_features": width, "_n_features_in": width}
    for name, value in new.items():
        if vars(estimator).get(name) is None:
            setattr(estimator, name, value)


def _best_round(estimator: Any) -> int | None:
    try:
        return int(estimator.best_iteration) + 1
    except AttributeError:  # trained without early stopping
        return None


def _predict(_writer: Writer, estimator: Any, frame: Frame) -> Answers:
    graph, model = frame.graph, read(estimator)
    if frame.is_sparse and isinstance(estimator, XGBOOST):  # what a sparse table leaves out is missing to XGBoost
        value = frame.numbers()
        value = graph.add("Where", graph.add("Equal", value, 0.0), math.nan, value)
        frame = frame._replace(blocks=(Block(value, frame.width),))
    if not hasattr(estimator, "n_classes_"):
        return {PREDICTION: write_boosted(model, frame)}
    place, shares = write_classes(graph, model, write_margins(model, frame))
    if model.is_multilabel:
        return {LABEL: place, PROBABILITIES: shares}
    classes = np.asarray(estimator.classes_) if isinstance(estimator, LIGHTGBM) else np.arange(estimator.n_classes_)
    return {LABEL: classify(graph, classes, place), PROBABILITIES: shares}


def _describe(estimator: Any) -> dict[int, Column]:
    model = read(estimator)
    thresholds = model.forest.thresholds_by_column()
    mark = () if math.isnan(model.missing) else (model.missing,)
    return {
        number: column._replace(
            thresholds=(*thresholds[number], *mark),
            texts=tuple(map(str, column.categories)) if column.is_text else (),
        )
        for number, column in enumerate(model.columns)
    }


def open_alone(model: Any, seen: Mapping[str, Sequence[str]]) -> Table | None:
    """Return a model that is no estimator of scikit-learn's, or is no less as a file; none: None. Raises ModelportError."""
    if isinstance(model, xgboost.Booster):
        return open_xgboost_booster(model)
    if isinstance(model, lightgbm.Booster):
        return open_lightgbm_booster(model)
    return catboost_trees.open_model(model, seen) if type(model) in CATBOOST else None


def predictors() -> Mapping[type, Callable[[Writer, Any, Frame], Answers]]:
    """Return what writes each class."""
    return {**dict.fromkeys((*XGBOOST, *LIGHTGBM), _predict), **dict.fromkeys(CATBOOST, _predict_catboost)}


def _predict_catboost(_writer: Writer, estimator: Any, frame: Frame) -> Answers:
    return catboost_trees.write(estimator, frame, {})


def describers() -> Mapping[type, Callable[[Any], dict[int, Column] | None]]:
    """Return what describes the columns of each class."""
    return {
        **dict.fromkeys((*XGBOOST, *LIGHTGBM), _describe),
        **dict.fromkeys(CATBOOST, lambda estimator: dict(enumerate(catboost_trees.describe(estimator)))),
    }


def wants_frame(estimator: Any) -> bool:
    """Whether an estimator takes a table of pandas, although it has no names of scikit-learn's."""
    return isinstance(estimator, (*XGBOOST, *LIGHTGBM)) and any(
        each.categories for each in _describe(estimator).values()
    )


def frame_of(estimator: Any, columns: list[Column], values: list[Array]) -> Any:
    """Return a table of pandas, with categories where trees number them."""
    if any(column.categories for column in columns):
        return with_categories(columns, Rows(values))
    names = getattr(estimator, "feature_names_in_", [column.name for column in columns])
    return pd.DataFrame(dict(zip(names, values, strict=True)))
