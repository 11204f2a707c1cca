"""Tabular libraries: scikit-learn's pipelines, XGBoost's, LightGBM's and CatBoost's trees."""

import re
import zlib
from collections.abc import Callable

from modelport.conversion.base import Converter, Format, Framework
from modelport.conversion.detection import Evidence, Tree, play
from modelport.conversion.onnx_options import OnnxOptions

LEARNER = re.compile(rb'^\{\s*("learner"\s*:\s*\{|"version"\s*:\s*\[)|^\{[iUIlL][\x00-\x20]{1,8}(learner\{|version\[)')
"""How XGBoost's JSON and UBJSON begin (doc/model.schema): with one of their two keys; a version is a list of numbers,
and not a text, as other libraries' configurations have it."""
BINARY = re.compile(rb"^(binf|bs64)")
"""How its old binary form begins, where it says what it is."""
TEXT = re.compile(rb"^tree\r?\n(version=|num_class=)")
"""How LightGBM's text begins (gbdt_model_text.cpp)."""
CBM = b"CBM1"
"""How CatBoost's own form begins (libs/model/model.cpp)."""
PICKLED = re.compile(
    rb"(?<![\w.])(sklearn|xgboost|lightgbm|catboost|imblearn)(\.[\w.]+)?[\n\x94\x8c]|joblib\.numpy_pickle"
)
"""A module as a step of a pickle names it: behind its length, and before the end of a line, or the next step."""
PICKLE = re.compile(rb"^(\x80[\x02-\x05]|\(|c[a-z_]+)")
COMPRESSED = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda", b"\x1f\x8b")
"""zlib, in all of its levels, and gzip: as joblib compresses."""
SCHEMA = "schema.json"
"""In the zip archive that skops writes."""
SKOPS_SUFFIX = ".skops"
PICKLE_SUFFIXES = (".pkl", ".pickle", ".joblib", ".sav")


def _matches(*patterns: re.Pattern[bytes]) -> Callable[[Tree], Evidence | None]:
    def detect(tree: Tree) -> Evidence | None:
        found = [path for path in tree.paths if any(pattern.match(tree.read(path)) for pattern in patterns)]
        return play("model", found, is_sure=True)

    return detect


def _detect_catboost(tree: Tree) -> Evidence | None:
    return play("model", [path for path in tree.paths if tree.read(path).startswith(CBM)], is_sure=True)


def _detect_pickle(tree: Tree) -> Evidence | None:
    heads = {path: _head(tree.read(path)) for path in tree.paths}
    pickles = [path for path, head in heads.items() if PICKLE.match(head)]
    sure = [path for path in pickles if PICKLED.search(heads[path])]
    named = [path for path in tree.paths if path.endswith(PICKLE_SUFFIXES)]
    return play("model", sure or named, is_sure=bool(sure))


def _head(content: bytes) -> bytes:
    """Return the beginning of a file, unpacked where joblib packed it."""
    if not content.startswith(COMPRESSED):
        return content
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(content, 4096)
    except zlib.error:
        return content


def _detect_skops(tree: Tree) -> Evidence | None:
    sure = [path for path in tree.paths if SCHEMA in tree.members(path)]
    named = [path for path in tree.paths if path.endswith(SKOPS_SUFFIX)]
    return play("model", sure or named, is_sure=bool(sure))


FORMATS = (
    Format(
        "sklearn",
        "scikit-learn estimator or pipeline, pickled (pickle, joblib), of XGBoost, LightGBM, CatBoost, too",
        _detect_pickle,
        suffixes=PICKLE_SUFFIXES,
        holds_graph=True,
        executes_code=True,
    ),
    Format(
        "skops",
        "scikit-learn estimator or pipeline (skops.io.dump)",
        _detect_skops,
        suffixes=(SKOPS_SUFFIX,),
        holds_graph=True,
        may_execute="types that skops does not trust",
    ),
    Format(
        "xgboost",
        "XGBoost model (save_model: JSON, UBJSON)",
        _matches(LEARNER, BINARY),
        suffixes=(".json", ".ubj"),
        holds_graph=True,
    ),
    Format("lightgbm", "LightGBM model (save_model: text)", _matches(TEXT), suffixes=(".txt",), holds_graph=True),
    Format("catboost", "CatBoost model (.cbm)", _detect_catboost, suffixes=(".cbm",), holds_graph=True),
)

FRAMEWORK = Framework(
    "tabular",
    "scikit-learn, XGBoost, LightGBM, CatBoost",
    formats=FORMATS,
    converters=tuple(Converter(each.name, "onnx", OnnxOptions, cost=10) for each in FORMATS),
    packages=("libgomp1",),
)
