"""The images that there are, and the files that each is made of: one for each framework and runtime, and our own two."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from modelport.conversion.base import Framework, Runtime
from modelport.frameworks import FRAMEWORKS
from modelport.jobs.planning import MOVER_IMAGE
from modelport.runtimes import RUNTIMES

ROOT = Path(__file__).resolve().parent.parent
BASE = "docker.io/library/debian:bookworm-slim"
SHARED = "operator/modelport/**/*"
CONVERTER, SERVER = "images/converter", "images/server"
INSTALL = "images/install.sh"
OWN: dict[str, dict[str, Any]] = {
    "operator": {
        "dockerfile": "images/operator/Dockerfile",
        "base": BASE,
        "inputs": [SHARED, "operator/modelport_operator/**/*", "images/operator/locks/operator.txt"],
    },
    "store": {
        "dockerfile": "images/store/Dockerfile",
        "base": BASE,
        "inputs": ["images/store/serve.py", "images/store/locks/store.txt"],
    },
}


def images() -> dict[str, dict[str, Any]]:
    """Return the images by name."""
    converters = {each.image: _converter(each) for each in FRAMEWORKS.values()}
    return {**OWN, **converters, **{each.image: _server(each) for each in RUNTIMES.values()}}


def _converter(framework: Framework) -> dict[str, Any]:
    package = f"{CONVERTER}/modelport_converter"
    # every framework's `inspect` runs in the image that moves bytes; beside that, no framework knows another
    others = set() if framework.image == MOVER_IMAGE else set(FRAMEWORKS) - {framework.name}
    return {
        "dockerfile": f"{CONVERTER}/Dockerfile",
        "base": BASE,
        "args": {"FRAMEWORK": framework.name, **_packages(framework)},
        "inputs": [SHARED, INSTALL, *_locks(CONVERTER, framework.name), *_code(package, "frameworks", others)],
    }


def _server(runtime: Runtime) -> dict[str, Any]:
    others = set(RUNTIMES) - {runtime.name}
    compiling = [f"{SERVER}/compile.py", f"{SERVER}/locks/compile.txt"]
    return {
        "dockerfile": f"{SERVER}/Dockerfile",
        "base": BASE,
        "args": {"RUNTIME": runtime.name, **_packages(runtime)},
        "inputs": [
            SHARED,
            INSTALL,
            *compiling,
            *_locks(SERVER, runtime.name),
            *_code(f"{SERVER}/modelport_server", "backends", others),
        ],
    }


def _packages(declared: Framework | Runtime) -> dict[str, str]:
    return {"PACKAGES": " ".join(declared.packages)} if declared.packages else {}


def _locks(folder: str, name: str) -> list[str]:
    """Return the image's lock, what depends on a build (`pytorch-cpu.txt`) or builds packages, parts, jars, and what is left out."""
    locks = ROOT / folder / "locks"
    patterns = f"{name}-*.txt", f"{name}.*.txt", f"{name}.jars", f"{name}.without"
    others = sorted(path for pattern in patterns for path in locks.glob(pattern))
    return [f"{folder}/locks/{name}.txt", *(f"{folder}/locks/{each.name}" for each in others)]


def _code(package: str, plugins: str, others: AbstractSet[str]) -> list[str]:
    """Return the patterns of a package's files without those of other plugins."""
    if not others:
        return [f"{package}/**/*"]
    return [*_all_but(package, {plugins}), *_all_but(f"{package}/{plugins}", others)]


def _all_but(folder: str, names: AbstractSet[str]) -> Iterator[str]:
    for path in sorted((ROOT / folder).iterdir()):
        if path.stem in names:
            continue
        if any(path.rglob("*.py")):
            yield f"{folder}/{path.name}/**/*"
        elif path.suffix in {".py", ".typed"}:
            yield f"{folder}/{path.name}"
