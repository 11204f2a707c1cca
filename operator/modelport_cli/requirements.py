"""What a model's code needs beside its image, collected as wheels: resolved by uv for the image's Python, fetched by pip.

Convert has no network, so the wheels go into the store like the model does. What the image has stays in its version: the
lock constrains the rest, and is left out of it.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from uv import find_uv_bin

from modelport.frameworks import FRAMEWORKS, SOURCES, framework_of
from modelport_cli.console import print_line, progress
from modelport_cli.errors import CommandError, UsageError
from modelport_cli.local.environments import PYTHON, cache_folder, images_folder
from modelport_cli.local.uv import own_variables

GLIBC = 36
"""2.36, of the images' Debian."""
PLATFORM = f"x86_64-manylinux_2_{GLIBC}"
_OF_PIP = {
    "UV_DEFAULT_INDEX": "PIP_INDEX_URL",
    "UV_INDEX_URL": "PIP_INDEX_URL",
    "UV_EXTRA_INDEX_URL": "PIP_EXTRA_INDEX_URL",
    "UV_FIND_LINKS": "PIP_FIND_LINKS",
}
"""Where uv takes packages from, pip does, too."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def collect_wheels(requirements: Path, format_name: str | None) -> Path:
    """Return a folder with the wheels that the file's requirements come to, beside what the format's image has.

    Raises CommandError where they do not fit the image, or there is no wheel.
    """
    if not requirements.is_file():
        raise UsageError(f"--requirements {requirements}: no such file")
    if format_name is not None and format_name not in SOURCES:
        raise UsageError(f"--format: expected one of {', '.join(sorted(SOURCES))}, found {format_name!r}")
    locks = {name: _read_lock(name) for name in FRAMEWORKS}
    if format_name:
        image = framework_of(format_name)
        known, told = locks[image.name], image.image
    else:
        shared = set.intersection(*(set(lock.items()) for lock in locks.values()))
        known, told = dict(shared), "every image"
    pins = _resolve(requirements, known, told)
    wanted = {name: pin for name, pin in pins.items() if name not in known}
    rivals = sorted(set(wanted) & set().union(*locks.values())) if format_name is None else []
    if rivals:
        message = f"{requirements}: {', '.join(rivals)[:200]}: some images have it, each in a version of its own"
        raise UsageError(message, "Name the format of the model, which tells its image, with --format.")
    if not wanted:
        message = f"{requirements}: {told} has all of it: {', '.join(pins)[:300] or 'nothing is asked for'}"
        raise UsageError(message, "Leave spec.source.code.requirements out.")
    print_line(f"{', '.join(wanted)}; of {told}: {', '.join(name for name in pins if name in known) or 'nothing'}")
    return _download(wanted)


def _read_lock(framework: str) -> dict[str, str]:
    """Return names and versions of what a framework's image has."""
    folder = images_folder() / "converter" / "locks"
    files = [folder / f"{framework}{build}.txt" for build in ("", "-cuda")]  # CPU builds are none of the index's
    text = "".join(file.read_text() for file in files if file.is_file())
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", text, re.MULTILINE))


def _resolve(requirements: Path, known: dict[str, str], told: str) -> dict[str, str]:
    """Return by name what the requirements come to, pinned with digests."""
    work = cache_folder() / "requirements"
    work.mkdir(parents=True, exist_ok=True)
    content = "".join(f"{name}=={version}\n" for name, version in sorted(known.items()))
    constraints = work / f"{hashlib.sha256(content.encode()).hexdigest()[:16]}.txt"
    constraints.write_text(content)
    options = ("--quiet", "--no-header", "--no-annotate", "--generate-hashes", "--only-binary", ":all:")
    target = ("--python-version", PYTHON, "--python-platform", PLATFORM, "--constraint", str(constraints))
    with progress(f"Resolving {requirements.name} for Python {PYTHON} and {told}"):
        ended = _run([find_uv_bin(), "pip", "compile", *options, *target, str(requirements.resolve())])
    if ended.returncode:
        raise CommandError(
            f"{requirements}: {_last_words(ended.stderr)}",
            f"What {told} has keeps its version, and only wheels are taken: `pip wheel` makes one of a source package, "
            "and UV_FIND_LINKS names the folder that it is in.",
        )
    pins = re.split(r"\n(?=\S)", ended.stdout.strip())  # the lines of its digests are indented
    return {_normal(found[0]): pin for pin in pins if (found := _NAME.match(pin))}


def _download(wanted: dict[str, str]) -> Path:
    """Return a folder with the wheels of these pins; one that is there is complete, for it appears by rename."""
    content = "\n".join(wanted.values()) + "\n"
    finished = cache_folder() / "requirements" / hashlib.sha256(content.encode()).hexdigest()[:32]
    if finished.is_dir():
        return finished
    building = finished.with_name(f"{finished.name}.{os.getpid()}")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir()
    pins = building.with_name(f"{building.name}.txt")
    pins.write_text(content)
    platforms = [f"manylinux_2_{minor}_x86_64" for minor in range(GLIBC, 4, -1)]
    platforms += ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64"]
    options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--implementation", "cp"]
    for option, values in (("--python-version", [PYTHON]), ("--abi", _abis()), ("--platform", platforms)):
        options += [word for value in values for word in (option, value)]
    try:
        with progress(f"Downloading {len(wanted)} wheels"):
            ended = _run(
                [*_pip(), "download", "--quiet", *options, "--dest", str(building), "--requirement", str(pins)]
            )
        count = len(list(building.glob("*.whl")))
        if ended.returncode or count != len(wanted):
            told = _last_words(ended.stderr) or f"expected {len(wanted)}, found {count}"
            raise CommandError(f"the wheels cannot be downloaded: {told}", "Check pip's settings.")
        if not finished.is_dir():
            building.rename(finished)
    finally:
        pins.unlink()
        shutil.rmtree(building, ignore_errors=True)
    return finished


def _abis() -> list[str]:
    return [f"cp{PYTHON.replace('.', '')}", "abi3", "none"]


def _pip() -> list[str]:
    """Return the pip of this environment; in one that uv made, which has none, the one that uv fetches."""
    own = [sys.executable, "-m", "pip"]
    return own if _run([*own, "--version"]).returncode == 0 else [find_uv_bin(), "tool", "run", "--quiet", "pip"]


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    variables = own_variables()
    for ours, pips in _OF_PIP.items():
        if ours in variables:
            variables.setdefault(pips, variables[ours].replace(",", " "))
    return subprocess.run(
        command,
        cwd=cache_folder(),  # not in a project, whose settings uv would read
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def _last_words(text: str) -> str:
    return " ".join(text.split()).removeprefix("error: ")[-600:]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
