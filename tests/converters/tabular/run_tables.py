"""`python run_tables.py FOLDER` trains models, asks them, and converts them; by the converter's Python.

FOLDER/NAME/model.onnx has the converted one, question.npz and right.npz what it was asked and what its library answers;
outcomes.json says what failed.
"""

import bz2
import json
import pickle
import sys
from pathlib import Path

import joblib
import msgspec
import numpy as np
import pandas as pd
import sklearn
import skops.io
from catboost import CatBoostRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import StandardScaler

from converters.tabular import table_models as models
from modelport.api.spec import Checkpoint
from modelport.api.status import Signature
from modelport.conversion.onnx_options import OnnxOptions
from modelport.errors import ModelportError
from modelport.jobs.requests import ConvertRequest, Hop
from modelport.verification.arrays import Array
from modelport.verification.reference import FILE_NAME, Reference, Sample, write_reference
from modelport.verification.source.model import describe_inputs, describe_outputs
from modelport_converter.frameworks.tabular import ask, to_onnx
from modelport_converter.tasks import HopTask, SourceTask

ROWS = 300
SPECIAL = [0, -0.0, 1, 2, 3, 1e-36, -1e-36, 0.5, -0.5, 1.5, 1e6]


def question(source, rows):
    random = np.random.default_rng(rows)
    return {each.name: values(each, source.hints.get(each.name), rows, random) for each in source.inputs}


def values(each, hint, rows, random) -> Array:
    shape = (rows, each.shape[1])
    if each.dtype == "string":
        return random.choice(np.array(hint.strings if hint else models.WORDS, object), size=shape)
    if hint and hint.categories:
        return random.choice(np.array(hint.categories), size=shape).astype(each.dtype)
    array = (random.normal(size=shape) * 2).astype(each.dtype)
    for column in range(shape[1]):
        at = np.array(hint.thresholds[column] if hint and hint.thresholds else [], each.dtype)
        at = at[np.isfinite(at)]  # beyond lie missing numbers alone
        near = np.concatenate([at, np.nextafter(at, -np.inf), np.nextafter(at, np.inf), np.array(SPECIAL, each.dtype)])
        chosen = random.random(rows) < 0.6
        array[chosen, column] = random.choice(near, chosen.sum())
        if hint and hint.missing and hint.missing[column]:
            array[random.random(rows) < 0.1, column] = np.nan
    return array


def convert(folder, format_name, *, key=None, trusted=True):
    request = ConvertRequest(
        artifact_key="",
        verification_key="",
        digests={},
        source_format=format_name,
        trusted=trusted,
        checkpoint=Checkpoint(key=key) if key else None,
        target_format="onnx",
        hops=[],
    )
    source = ask.open_source(SourceTask(request, folder / "source", folder))
    samples = [Sample((asked,), (source.run(asked),)) for asked in (question(source, rows) for rows in (ROWS, 7, 1))]
    signature = Signature(inputs=describe_inputs(source.inputs), outputs=describe_outputs(source.inputs, samples))
    (folder / "signature.json").write_bytes(msgspec.json.encode(signature))
    write_reference(folder / FILE_NAME, Reference(tuple(samples)))
    for number, sample in enumerate(samples):
        np.savez(folder / f"question-{number}.npz", **{name: plain(each) for name, each in sample.inputs[0].items()})
        np.savez(folder / f"right-{number}.npz", **{name: plain(each) for name, each in sample.outputs[0].items()})
    hop = Hop(converter="", source=format_name, target="onnx", image="")
    to_onnx.convert(HopTask(request, hop, True, folder / "source", folder, None, folder, folder), OnnxOptions())


def plain(array):
    return array.astype(np.str_) if array.dtype.kind == "O" else array


def save(family, model, folder):
    folder.mkdir(parents=True)
    if family == "sklearn":
        joblib.dump(model, folder / "model.joblib", compress=3)
    elif family == "skops":
        skops.io.dump(model, folder / "model.skops")
    else:
        suffix = {"xgboost": "json", "ubj": "ubj", "lightgbm": "txt", "catboost": "cbm"}[family]
        model.save_model(str(folder / f"model.{suffix}"))


FAMILIES = {
    "xgboost": models.XGBOOST,
    "ubj": {name: models.XGBOOST[name] for name in ("sets", "texts", "base-by-class")},
    "lightgbm": models.LIGHTGBM | {"linear-leaves": models.REFUSED["linear-leaves"]},
    "catboost": models.CATBOOST,
    "sklearn": models.SKLEARN | {name: each for name, each in models.REFUSED.items() if name != "linear-leaves"},
    "skops": {name: models.SKLEARN[name] for name in ("texts", "missing-in-trees")},
}


class Foreign(StandardScaler):
    """A type that skops does not trust."""


def keyed(folder):
    folder.mkdir(parents=True)
    inside = {"models": [models.SKLEARN["powers"]()], "columns": ["a"]}
    joblib.dump(inside, folder / "model.joblib")


def written_by_another(folder):
    """Write a forest as scikit-learn 1.3 would have, whose shares the one here takes for others."""
    folder.mkdir(parents=True)
    content = pickle.dumps(models.SKLEARN["missing-in-trees"]())
    own = sklearn.__version__.encode()
    assert len(own) == len(b"1.3.2")
    (folder / "model.pkl").write_bytes(content.replace(own, b"1.3.2"))


def written_by_another_and_packed(folder):
    """Write the same as joblib packs it by other means than zlib."""
    written_by_another(folder)
    path = folder / "model.pkl"
    path.write_bytes(bz2.compress(path.read_bytes()))


def unfitted(folder):
    folder.mkdir(parents=True)
    joblib.dump(RandomForestClassifier(), folder / "model.joblib")


def foreign(folder):
    folder.mkdir(parents=True)
    skops.io.dump(Foreign().fit(models.NUMBERS), folder / "model.skops")


def unended(folder):
    """Write a text whose last line has no end; LightGBM's reader of files looks for one for ever."""
    folder.mkdir(parents=True)
    text = models.LIGHTGBM["texts"]().model_to_string().rstrip()
    (folder / "model.txt").write_text(text + " " * 4096)


def misnamed(folder):
    """Write a model whose column has a name that is no text."""
    folder.mkdir(parents=True)
    table = pd.DataFrame({"amount": models.NUMBERS[:, 0]})
    path = folder / "model.cbm"
    CatBoostRegressor(iterations=3, verbose=0).fit(table, models.SCORE).save_model(str(path))
    content = path.read_bytes()
    assert b"amount" in content
    path.write_bytes(content.replace(b"amount", b"amoun\xff"))


def endless(folder):
    """Write a model one of whose leaves is no number."""
    folder.mkdir(parents=True)
    path = folder / "model.cbm"
    model = CatBoostRegressor(iterations=3, depth=1, verbose=0).fit(models.NUMBERS, models.SCORE)
    leaf = np.float64(model.get_leaf_values()[0]).tobytes()
    model.save_model(str(path))
    content = path.read_bytes()
    assert leaf in content
    path.write_bytes(content.replace(leaf, np.float64(np.nan).tobytes()))


OTHERS = {
    "catboost-endless": (endless, "catboost", {}),
    "catboost-misnamed": (misnamed, "catboost", {}),
    "lightgbm-unended": (unended, "lightgbm", {}),
    "sklearn-keyed": (keyed, "sklearn", {"key": "models.0"}),
    "sklearn-unkeyed": (keyed, "sklearn", {}),
    "sklearn-older": (written_by_another, "sklearn", {}),
    "sklearn-older-packed": (written_by_another_and_packed, "sklearn", {}),
    "sklearn-unfitted": (unfitted, "sklearn", {}),
    "skops-foreign": (foreign, "skops", {"trusted": False}),
}
root, outcomes = Path(sys.argv[1]), {}
for name, (write, format_name, told) in OTHERS.items():
    try:
        write(root / name / "source")
        convert(root / name, format_name, **told)
        outcomes[name] = ""
    except ModelportError as error:
        outcomes[name] = f"{error.reason}: {error.message}"
for family, cases in FAMILIES.items():
    for name, make in cases.items():
        folder = root / f"{family}-{name}"
        try:
            save(family, make(), folder / "source")
            convert(folder, "xgboost" if family == "ubj" else family)
            outcomes[folder.name] = ""
        except ModelportError as error:
            outcomes[folder.name] = f"{error.reason}: {error.message}"
        except Exception as error:  # noqa: BLE001  # what failed is told, whatever it is
            outcomes[folder.name] = f"{type(error).__name__}: {error}"
(root / "outcomes.json").write_text(json.dumps(outcomes))
