"""Models of tables: files that hold trees are read, and pickles are looked at without running anything of them."""

from collections.abc import Callable
from pathlib import Path

from modelport.api.reasons import Reason
from modelport.api.status import Signature
from modelport.errors import ModelportError, describe_error
from modelport.frameworks.tabular import CBM, SCHEMA
from modelport.steps.runner import say
from modelport.storage.archives import DAMAGED, list_zip
from modelport.storage.trees import FolderTree
from modelport_converter.frameworks.tabular.boosters.lightgbm_text import read_lightgbm
from modelport_converter.frameworks.tabular.boosters.xgboost_json import read_xgboost
from modelport_converter.tasks import find_part

LOGGER = "table"
LENGTH = 4
"""Bytes of a length."""


def inspect(folder: Path, paths: list[str], format_name: str) -> Signature | None:
    """Check the file; its library tells the signature. Raises ModelportError: SourceCorrupt, ConversionFailed."""
    path = find_part(FolderTree(folder, tuple(paths)), format_name)
    READERS[format_name](path)
    return None


def _check_catboost(path: Path) -> None:
    """Check the frame of a .cbm: its mark, and the length of what follows (libs/model/model.cpp)."""
    with path.open("rb") as file:
        head = file.read(len(CBM) + LENGTH)
    size, rest = int.from_bytes(head[len(CBM) :], "little"), path.stat().st_size - len(head)
    if len(head) < len(CBM) + LENGTH or not head.startswith(CBM) or not 0 < size <= rest:
        message = f"{path.name}: expected a model of CatBoost, found {head[: len(CBM)]!r} and {rest} bytes where it says {size}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message)


def _check_skops(path: Path) -> None:
    """Check the archive; which types it has, skops says where it is opened."""
    try:
        with path.open("rb") as file:
            names = list_zip(path.name, file)
    except DAMAGED as error:
        message = f"{path.name}: expected an archive of skops, found: {describe_error(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    if SCHEMA not in names:
        raise ModelportError(Reason.SOURCE_CORRUPT, f"{path.name}: expected {SCHEMA} in the archive, found none")


def _check_pickle(path: Path) -> None:
    say(LOGGER, f"opening {path.name} runs what it says, which trust: Trusted allows")


READERS: dict[str, Callable[[Path], object]] = {
    "xgboost": read_xgboost,
    "lightgbm": read_lightgbm,
    "catboost": _check_catboost,
    "skops": _check_skops,
    "sklearn": _check_pickle,
}
