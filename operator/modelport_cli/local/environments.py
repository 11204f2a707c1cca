"""One isolated Python environment per image, from the lock file that the image is built from.

An environment lies in the user's cache under the hash of what it follows from, so that a changed lock makes another
one and a stale one is never used. It appears by rename, under a lock of its own: a killed or concurrent run leaves
nothing half done behind.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from modelport import __version__
from modelport.storage.packages.jars import VARIABLE, fetch_jars
from modelport.storage.packages.leaving_out import leave_out, leave_out_tests
from modelport_cli.console import print_line, progress
from modelport_cli.errors import CommandError
from modelport_cli.local.uv import UvError, run_uv
from modelport_cli.views.stages import size

JARS = ".jars"
"""How the name of a lock of jars ends."""
WITHOUT = ".without"
"""How the name of a list of files ends that packages bring, and the image leaves out."""
PARTS = "parts"
"""Folder of an environment with a folder for each part, whose packages are not on Python's path."""
PYTHON = "3.11"
"""The images' Python, which the locks are resolved for."""
WHEELS_VARIABLE = "MODELPORT_WHEELS"
_PACKAGE = Path(__file__).resolve().parents[1]
_REPOSITORY = _PACKAGE.parents[1]
"""Of a checkout; an installed command line has no `images` there."""


class Recipe(NamedTuple):
    """What an environment follows from."""

    image: str
    locks: tuple[Path, ...]

    @property
    def key(self) -> str:
        """Hash of the locks, the Python and the machine."""
        return environment_key([lock.read_bytes() for lock in self.locks])

    @property
    def reference(self) -> str:
        """What stands for the image's reference by digest in keys."""
        return f"local/{self.image}:{__version__}@{self.key}"


def environment_key(locks: list[bytes]) -> str:
    """Return the name of the environment of these locks on this machine."""
    state = hashlib.sha256(f"{PYTHON} {platform.system()} {platform.machine()}".encode())
    for lock in locks:
        state.update(hashlib.sha256(lock).digest())
    return state.hexdigest()[:32]


def find_recipe(image: str) -> Recipe:
    """Return the recipe of an image such as converter-pytorch."""
    role, _, framework = image.partition("-")
    folder = images_folder() / role / "locks"
    locks = tuple(path for path in lock_files(folder, framework) if path.is_file())
    if not locks:
        raise CommandError(
            f"image {image}: expected its lock file {folder / framework}.txt", "Install modelport again."
        )
    return Recipe(image, locks)


def lock_files(folder: Path, framework: str) -> list[Path]:
    """Return the locks that the image's Dockerfile installs, in its order: torch for CPUs where a wheel of it is given."""
    build = "cpu" if any(path for wheels in wheel_folders() for path in wheels.glob("torch-*+cpu-*.whl")) else "cuda"
    parts = sorted(path.name for path in folder.glob(f"{framework}.*.txt"))
    names = f"{framework}.txt", f"{framework}-{build}.txt", *parts, f"{framework}{JARS}", f"{framework}{WITHOUT}"
    return [folder / name for name in names]


def images_folder() -> Path:
    """Return the folder of the images' lock files: of the repository, or packaged with the command line."""
    for folder in (_REPOSITORY / "images", _PACKAGE / "images"):
        if (folder / "converter" / "locks").is_dir():
            return folder
    raise CommandError("the images' lock files are not there", "Install modelport again, with the extra `cli`.")


def prepare(recipe: Recipe) -> Path:
    """Return the Python of the environment, which is built first if it is not there."""
    cache = cache_folder() / "venvs"
    finished = cache / recipe.key
    python = finished / "bin" / "python"
    if python.exists():
        return python
    cache.mkdir(parents=True, exist_ok=True)
    with locked(cache / f"{recipe.key}.lock", f"{_named(recipe)}, which another run makes"):
        if not python.exists():  # another run may have built it meanwhile
            started = time.monotonic()
            building = cache / f"{recipe.key}.new"
            shutil.rmtree(building, ignore_errors=True)
            _build(recipe, building)
            held = size(sum(path.lstat().st_size for path in building.rglob("*")))
            building.rename(finished)
            print_line(f"{_named(recipe)}: {held}, made once, in {time.monotonic() - started:.0f} s")
    return python


def installation(python: Path) -> list[Path]:
    """Return what an environment's Python is made of: the environment, and of the Python that made it what it loads."""
    environment = python.parents[1]
    links = [python]
    while links[-1].is_symlink():
        links.append(Path(os.path.normpath(links[-1].parent / links[-1].readlink())))
    settings = (line.partition("=") for line in (environment / "pyvenv.cfg").read_text().splitlines())
    base = next(Path(value.strip()).parent for name, _, value in settings if name.strip() == "home")
    # never the whole folder, which may be the user's ~/.local; by both names where one is a link, since libraries are
    # found by either
    libraries = [folder / name for folder in dict.fromkeys((base, base.resolve())) for name in ("lib", "lib64")]
    return [environment, *libraries, *links[1:]]


def cache_folder() -> Path:
    """Return Modelport's folder in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modelport"


def _named(recipe: Recipe) -> str:
    return f"Environment of {recipe.image}"


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold a file's lock, and tell what is waited for; the kernel releases it, however the process ends."""
    with path.open("w") as file:
        with progress(what):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(recipe: Recipe, folder: Path) -> None:
    interpreter = sys.executable if sys.version_info[:2] == tuple(map(int, PYTHON.split("."))) else PYTHON
    _uv(recipe, "venv", "--quiet", "--relocatable", "--python", interpreter, str(folder))
    packages = folder / "lib" / f"python{PYTHON}" / "site-packages"
    for lock in recipe.locks:
        if lock.suffix == JARS:
            _fetch_jars(recipe, lock, folder / "jars")
        elif lock.suffix == WITHOUT:
            leave_out(lock, packages)
        else:
            _, _, part = lock.stem.partition(".")
            apart = ["--target", str(folder / PARTS / part)] if part else []
            python = str(folder / "bin" / "python")
            _uv(recipe, "pip", "install", "--python", python, *apart, *install_arguments(lock))
    for place in (packages, folder / PARTS):  # as in the images
        leave_out_tests(place)


def install_arguments(lock: Path) -> list[str]:
    """Return what follows `uv pip install` for a lock, as in the images' Dockerfile."""
    found = [argument for folder in wheel_folders() for argument in ("--find-links", str(folder))]
    tools = lock.with_name(f"{lock.stem}-build.txt")  # what packages that come as sources are built with
    constraints = ["--build-constraints", str(tools)] if tools.is_file() else []
    # compiled once, because a step that runs foreign code writes nothing, or cannot
    return ["--no-deps", "--require-hashes", "--compile-bytecode", *found, *constraints, "--requirement", str(lock)]


def wheel_folders() -> list[Path]:
    """Return the folder of wheels to prefer over the index's: none, or one that has torch built for CPUs."""
    given = os.environ.get(WHEELS_VARIABLE)
    folder = Path(given) if given else _REPOSITORY.parent / "shared" / "wheels"
    return [folder] if folder.is_dir() else []


def _fetch_jars(recipe: Recipe, lock: Path, folder: Path) -> None:
    try:
        fetch_jars(lock, folder)
    except (OSError, ValueError) as error:
        raise CommandError(
            f"the environment of {recipe.image} cannot be built: {error}",
            f"Check the access to Maven Central, or name a mirror of it with {VARIABLE}.",
        ) from error


def _uv(recipe: Recipe, *arguments: str) -> None:
    try:
        run_uv(*arguments, folder=cache_folder(), what=_named(recipe))
    except UvError as error:
        raise CommandError(
            f"the environment of {recipe.image} cannot be built: {error}",
            f"Check the access to the package index (uv's settings), or put wheels into a folder and set {WHEELS_VARIABLE}.",
        ) from error
