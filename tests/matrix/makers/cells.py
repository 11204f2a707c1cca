"""What a maker leaves for each cell, in a folder of its own.

- `source/NAME`: the model, a file or a folder; `code/`: the code that builds it, where that is needed;
- `right.npz`: a question (`in.NAME`) and the answers of the framework from before the model was stored (`out.0`, …), or
  nothing where the framework is not asked here;
- `cell.json`, written last: fields of `spec.source`.
"""

import json
import shutil
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

LENGTH = 19
"""Of a free dimension that has no largest one."""
ROWS = 5


class Cell:
    """The folder of one cell in the making."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "source").mkdir(parents=True)

    def source(self, name: str) -> Path:
        """Return where the model is written."""
        return self.folder / "source" / name

    def code(self) -> Path:
        """Return the folder of the code."""
        (self.folder / "code").mkdir(exist_ok=True)
        return self.folder / "code"

    def done(self, told: Mapping[str, Any], asked: Mapping[str, Any], right: Sequence[Any]) -> None:
        """Leave what the manifest says, the question, and its answers."""
        if right:
            named = {f"in.{name}": each for name, each in asked.items()}
            np.savez(self.folder / "right.npz", **named, **{f"out.{i}": each for i, each in enumerate(right)})
        (self.folder / "cell.json").write_text(json.dumps(told, indent=1))


def question(inputs: Sequence[Mapping[str, Any]], dimensions: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Return a question for inputs as a manifest states them, of five rows, the same at each time."""
    random = np.random.default_rng(3)
    asked = {}
    for given in inputs:
        shape = [_length(each, dimensions) for each in given["shape"]]
        low, high = given.get("values", {}).get("range", (-2, 2))
        drawn = random.uniform(low, high, shape)
        asked[given["name"]] = drawn.astype(given.get("dtype", "float32"))
    return asked


def _length(stated: int | str, dimensions: Mapping[str, Mapping[str, int]]) -> int:
    if isinstance(stated, int):
        return stated
    return ROWS if stated == "batch" else dimensions.get(stated, {}).get("min", LENGTH)


def make_all(find: Callable[[str, str], Callable[[Cell], None]], folder: Path, names: Sequence[str]) -> None:
    """Make cells named MODEL/FORM; of one that fails, leave the error."""
    for name in names:
        cell = Cell(folder / name)
        try:
            find(*name.split("/"))(cell)
        except Exception:  # noqa: BLE001  # told for the cell, so that the others are made
            (cell.folder / "error").write_text(traceback.format_exc())
