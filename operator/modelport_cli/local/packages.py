"""Our own packages for the steps' import path, without the rest of the installation that the command line lives in.

A step runs in its image's environment, which has the frameworks and nothing of ours; a folder of links adds the packages
that an image has, so that a library of the command line can never stand in for one that the lock forgot.
"""

import hashlib
import importlib.util
import os
from pathlib import Path

from modelport_cli.errors import CommandError
from modelport_cli.local.environments import cache_folder

STEP_PACKAGES = ("modelport", "modelport_converter", "modelport_server")


def import_folder() -> Path:
    """Return a folder with links to the packages of this installation, which is made if it is not there."""
    packages = [package_folder(name) for name in STEP_PACKAGES]
    key = hashlib.sha256("\n".join(map(str, packages)).encode()).hexdigest()[:16]
    folder = cache_folder() / "packages" / key
    folder.mkdir(parents=True, exist_ok=True)
    for name, package in zip(STEP_PACKAGES, packages, strict=True):
        link = folder / name
        if not link.is_symlink():
            from compileall import compile_dir

            compile_dir(package, quiet=2)  # once, because a step that runs foreign code writes nothing beside it
            draft = folder / f".{name}.{os.getpid()}"  # a concurrent run makes the same link
            draft.symlink_to(package)
            draft.replace(link)
    return folder


def import_paths(folder: Path) -> list[Path]:
    """Return what must be readable for such a folder's packages to be imported."""
    return [folder, *(link.resolve() for link in folder.iterdir())]


def package_folder(name: str) -> Path:
    """Return where one of our packages lies, without importing it."""
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise CommandError(f"package {name} is not installed", "Install modelport again.")
    return Path(found.submodule_search_locations[0]).resolve()
