"""The import path: the code first, as people lay repositories out, and what it needs after the image's own packages."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from types import ModuleType

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.jobs.requests import CodeRequest
from modelport.steps.runner import say

SOURCES = "src"
"""Folder of the packages in many repositories."""
_roots: list[Path] = []
"""Folders that strangers' modules lie in."""


def extend_import_path(code: CodeRequest, folder: Path, requirements: Path) -> None:
    """Let modules of the code, and of what it needs, be imported. Raises ModelportError (FactoryFailed).

    What the image has stays as it was tested: it comes before the requirements.
    """
    tops = list(_tops(folder.resolve()))
    chosen = [_chosen(tops, code.path)] if code.path else []
    _tell_versions(requirements)
    first = dict.fromkeys(str(each) for each in (*chosen, *tops))
    last = [str(requirements.resolve())] if requirements.is_dir() else []
    sys.path[:] = [*first, *(path for path in sys.path if path not in {*first, *last}), *last]
    _roots[:] = [folder.resolve(), requirements.resolve()]
    sys.dont_write_bytecode = True  # the code's volume is read-only here
    importlib.invalidate_caches()


@contextmanager
def fresh_imports(folder: Path) -> Iterator[None]:
    """Have the code's modules imported anew inside: numbers that a module draws when it is imported differ, too."""
    known = forget_modules(folder)
    try:
        yield
    finally:
        sys.modules.update(known)


def forget_modules(folder: Path) -> dict[str, ModuleType]:
    """Take the modules below a folder from those that are imported, and return them."""
    root = f"{folder.resolve()}/"
    found = {name: each for name, each in sys.modules.items() if _lies_below(each, root)}
    for name in found:
        del sys.modules[name]
    return found


def is_of_code(path: Path) -> bool:
    """Whether a file is the code's, or of what it needs."""
    return any(path.is_relative_to(root) for root in _roots)


def _lies_below(module: ModuleType, root: str) -> bool:
    told = getattr(module, "__dict__", {})  # what loads its content when it is asked for an attribute stays unloaded
    if told.get("__file__"):
        return str(told["__file__"]).startswith(root)
    try:
        folders = list(told.get("__path__") or ())  # of a package without an `__init__`
    except KeyError:  # it is a part of a package that came to nothing
        return True
    return bool(folders) and all(f"{folder}/".startswith(root) for folder in folders)


def _tops(folder: Path) -> Iterator[Path]:
    """Yield where packages may lie: the folder, the only one in it, as forges pack a repository, `src`, parts of wheels."""
    yield folder
    yield from folder.glob("*.data/*lib")
    inside = list(folder.iterdir())
    if len(inside) == 1 and _holds_packages(inside[0]):
        yield from _tops(inside[0])
    elif _holds_packages(folder / SOURCES):
        yield folder / SOURCES


def _tell_versions(requirements: Path) -> None:
    """Say which of the requirements are passed over, because the image has another version of them."""
    if str(requirements.resolve()) in sys.path:
        return  # said before: ask and the first hop are one process
    for each in metadata.distributions(path=[str(requirements)]):
        with suppress(metadata.PackageNotFoundError):
            own = metadata.version(each.name)
            if own.partition("+")[0] != each.version.partition("+")[0]:  # which build it is of
                say("code", f"{each.name} {each.version} of the requirements is passed over: the image has {own}")


def _holds_packages(folder: Path) -> bool:
    return folder.is_dir() and not (folder / "__init__.py").exists()


def _chosen(tops: list[Path], path: str) -> Path:
    for top in tops:
        found = (top / path).resolve()
        if found.is_relative_to(tops[0]) and found.is_dir():
            return found
    raise ModelportError(Reason.FACTORY_FAILED, f"code.path: expected a folder inside the code, found {path!r}")
