"""Models of tables, in each form that their libraries store them in: pickle, joblib, skops, and files of their own."""

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import skops.io
from cells import Cell, make_all
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from converters.tabular import table_models as models

ROWS = 9
TRUSTED = {"trust": "Trusted"}


def _xgboost() -> Any:
    return models.xgboost.XGBClassifier(n_estimators=9, n_jobs=1).fit(models.MISSING, models.THREE)


def _lightgbm() -> Any:
    return models.lightgbm.LGBMClassifier(n_estimators=9, verbose=-1, n_jobs=1).fit(models.MISSING, models.THREE)


def _catboost() -> Any:
    options = {"iterations": 9, "verbose": 0, "thread_count": 1, "allow_writing_files": False}
    return models.CatBoostClassifier(**options).fit(models.MISSING, models.THREE)


def _columns() -> Any:
    encoder = OneHotEncoder(handle_unknown="ignore")
    return make_pipeline(models.columns(encoder), LogisticRegression()).fit(models.PEOPLE, models.NAMES)


MODELS: dict[str, Callable[[], Any]] = {
    "columns": _columns,
    "histograms": lambda: HistGradientBoostingClassifier(max_iter=9).fit(models.MISSING, models.THREE),
    "svc": lambda: make_pipeline(StandardScaler(), SVC()).fit(models.NUMBERS, models.THREE),
    "mlp": lambda: MLPClassifier((8, 6), max_iter=40).fit(models.NUMBERS, models.THREE),
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    "catboost": _catboost,
}


def make_form(name: str, form: str, cell: Cell) -> None:
    model = MODELS[name]()
    told: dict[str, str] = {}
    if form == "pickle":
        cell.source("model.pkl").write_bytes(pickle.dumps(model))
        told = TRUSTED
    elif form == "joblib":
        joblib.dump(model, cell.source("model.joblib"), compress=3)
        told = TRUSTED
    elif form == "skops":
        skops.io.dump(model, cell.source("model.skops"))
    elif form == "text":
        model.booster_.save_model(str(cell.source("model.txt")))
    else:
        model.save_model(str(cell.source(f"model.{form}")))
    if name == "columns":  # asked with texts, which right.npz does not hold
        cell.done(told, {}, [])
        return
    rows = (models.NUMBERS if name in ("svc", "mlp") else models.MISSING)[:ROWS]
    numbers = model.decision_function if name == "svc" else model.predict_proba
    labels = [] if form == "text" else [np.asarray(model.predict(rows)).reshape(ROWS)]
    cell.done(told, {"features": rows}, [*labels, numbers(rows)])


def find_maker(_packages: Path, name: str, form: str) -> Callable[[Cell], None]:
    """Return what makes a cell."""
    return lambda cell: make_form(name, form, cell)


if __name__ == "__main__":
    make_all(lambda name, form: find_maker(Path(sys.argv[1]), name, form), Path(sys.argv[2]), sys.argv[3:])
