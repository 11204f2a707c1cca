"""Models of H2O, written as POJOs: nothing in the scorer's environment makes some."""

from pathlib import Path

import numpy as np

from modelport.api.status import Signature, Tensor
from modelport_server.backends.h2o import NUMBERS
from server.backends.cases import Case, values

WORDS = [f"ü{number}" for number in range(100)]
SOURCE = """
import hex.ModelCategory;
import hex.genmodel.GenModel;

public class %(name)s extends GenModel {
    public %(name)s() { super(new String[] {%(names)s}, new String[][] {%(domains)s}, %(response)s); }
    public boolean isSupervised() { return %(supervised)s; }
    public int nfeatures() { return %(width)d; }
    public int nclasses() { return %(classes)d; }
    public ModelCategory getModelCategory() { return ModelCategory.%(category)s; }
    public String getUUID() { return "1"; }
    public double[] score0(double[] data, double[] preds) {
        double sum = 0;
        for (double each : data) {
            sum += Double.isNaN(each) ? 0 : each;
        }
        %(body)s
        return preds;
    }
}
"""
HALF, WHOLE = 450, 4096
"""About the mean of the sums, and a power of two that is above all of them."""


def cases(folder: Path) -> list[Case]:
    """Return models whose answers follow from the sum of a row: classes, a number of float64, and clusters."""
    all_but_wide = sorted(NUMBERS - {"float64"})
    return [
        _classes(folder / "classes", [*all_but_wide, "string"]),
        _number(folder / "number"),
        _clusters(folder / "clusters"),
    ]


def _classes(folder, dtypes):
    body = f"preds[2] = sum / {WHOLE}; preds[1] = 1 - preds[2]; preds[0] = sum >= {HALF} ? 1 : 0;"
    given = _write(folder, dtypes, "Binomial", body, labels=["nein", "jä"])
    outputs = [
        Tensor(name="label", dtype="string", shape=["n"]),
        Tensor(name="probabilities", dtype="float32", shape=["n", 2]),
    ]

    def answer(asked):
        sums = _sums(asked)
        share, labels = sums / WHOLE, np.where(sums >= HALF, "jä", "nein").astype(object)
        return {"label": labels, "probabilities": np.stack([1 - share, share], 1).astype(np.float32)}

    return _case(given, dtypes, outputs, answer)


def _number(folder):
    given = _write(folder, ["float64"], "Regression", "preds[0] = sum / 4;")
    outputs = [Tensor(name="prediction", dtype="float64", shape=["n"])]
    return _case(given, ["float64"], outputs, lambda asked: {"prediction": _sums(asked) / 4})


def _clusters(folder):
    given = _write(folder, ["float32"], "Clustering", "preds[0] = (int) (sum / 10);")
    outputs = [Tensor(name="cluster", dtype="int64", shape=["n"])]
    return _case(given, ["float32"], outputs, lambda asked: {"cluster": (_sums(asked) / 10).astype(np.int64)})


def _write(folder, dtypes, category, body, labels=()):
    """Write a model with a column for each type, called like it."""
    folder.mkdir()
    is_supervised = category != "Clustering"
    names = [*dtypes, *(["y"] if is_supervised else [])]
    domains = [_domain(WORDS) if each == "string" else "null" for each in dtypes]
    domains += [_domain(labels) if labels else "null"] if is_supervised else []
    told = {
        "name": f"Of{category}",
        "names": ", ".join(f'"{name}"' for name in names),
        "domains": ", ".join(domains),
        "response": '"y"' if is_supervised else "null",
        "supervised": str(is_supervised).lower(),
        "width": len(dtypes),
        "classes": max(1, len(labels)),
        "category": category,
        "body": body,
    }
    (folder / "Model.java").write_text(SOURCE % told, encoding="utf-8")
    return folder.name, folder, ["Model.java"]


def _domain(levels):
    return "{" + ", ".join(f'"{level}"' for level in levels) + "}"


def _case(given, dtypes, outputs, answer):
    inputs = [Tensor(name=dtype, dtype=dtype, shape=["n", 1]) for dtype in dtypes]
    questions = tuple({dtype: values(dtype, seed)[:, :1] for dtype in dtypes} for seed in (1, 2))
    return Case(*given, Signature(inputs=inputs, outputs=outputs), questions, answer)


def _sums(asked):
    """Return the sum of each row, where a word is its place in the vocabulary."""
    columns = [
        np.array([WORDS.index(each) if each in WORDS else 0 for each in array.flat])
        if array.dtype.kind == "O"
        else array
        for array in asked.values()
    ]
    return sum(np.asarray(column).reshape(-1).astype(np.float64) for column in columns)
