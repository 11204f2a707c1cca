"""DL4J models: files of several versions that its developers saved, with their answers, and networks of its own builders."""

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from cells import Cell, make_all

from converters.dl4j.dl4j_models import REAL, SHARED, arrays, make, stored
from modelport_converter.frameworks.dl4j.opening import open_model

MADE = {
    "residual": "residual",
    "lenet": "lenet",
    "double-cnn": "double-convolution",
    "half-lstm": "half-lstm",
    "separable-nhwc": "separable-nhwc-0",
    "mask-zero": "mask-zero",
    "peepholes": "graves-bidirectional-0",
    "text": "embedding-sequence",
    "seq-to-seq": "seq-to-seq",
}
"""Models by the names that Networks.java has for them."""
TOLD = {
    "seq-to-seq": {
        "inputs": [{"name": "a", "shape": ["batch", 4, "time"]}, {"name": "b", "shape": ["batch", 3, "steps"]}],
    },
}
"""What a user must say of them."""


def find_maker(name: str, form: str) -> Callable[[Cell], None]:
    """Return what makes a cell."""
    return {"dl4j-saved": _copy, "dl4j": _make}[form](name)


def _copy(name: str) -> Callable[[Cell], None]:
    def make_cell(cell: Cell) -> None:
        model, *rest = (SHARED / path for path in REAL[name])
        shutil.copyfile(model, cell.source(model.name))
        asked, right = (stored(path) for path in rest) if rest else (None, None)
        names = [each.name for each in open_model(model, []).inputs]
        cell.done({}, dict(zip(names, [asked], strict=True)) if rest else {}, [right] if rest else [])

    return make_cell


def _make(name: str) -> Callable[[Cell], None]:
    def make_cell(cell: Cell) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            folder = make(Path(scratch), MADE[name]) / MADE[name]
            path = Path(shutil.copyfile(folder / "model.zip", cell.source("model.zip")))
            asked, right = arrays(folder, "in"), arrays(folder, "out")
        told = TOLD.get(name, {})
        inputs = told.get("inputs") or [
            {"name": each.name, "dtype": each.dtype} for each in open_model(path, []).inputs
        ]
        named = {
            each["name"]: array.astype(each.get("dtype", "float32")) for each, array in zip(inputs, asked, strict=True)
        }
        cell.done(told, named, right)

    return make_cell


if __name__ == "__main__":
    make_all(find_maker, Path(sys.argv[2]), sys.argv[3:])
