"""Programs built from Go modules, kept in the cache under the hash of what they are made of.

All are one Go module, so that what they share is compiled once. go.sum locks every module, so the same key is the same
program; a fresh machine downloads and builds, any later one finds it done.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import InvalidInputError, MissingPrerequisiteError
from devcluster.machine.commands import run
from devcluster.machine.locks import locked
from devcluster.machine.progress import step
from devcluster.paths import SOURCE, Paths

GO = SOURCE / "go"
_FLAGS = ("-trimpath", "-buildvcs=false", "-tags=providerless", "-gcflags=all=-dwarf=false")  # linked without it anyway
_MEMORY = {"GOGC": "off", "GOMEMLIMIT": "2GiB"}  # of each compiler: collecting garbage is a sixth of its work
_VERSIONS = {
    "k8s.io/component-base/version.gitVersion": "k8s.io/kubernetes",
    "helm.sh/helm/v3/internal/version.version": "helm.sh/helm/v3",
}


@dataclass(frozen=True)
class GoProgram:
    """One binary: its package in the module under go/, and the names it is called by."""

    name: str
    package: str
    links: tuple[str, ...] = ()


KUBE = GoProgram(
    "kube",
    "./kube",
    ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl"),
)
COREDNS = GoProgram("coredns", "./coredns")
PAUSE = GoProgram("pause", "./pause")
HELM = GoProgram("helm", "helm.sh/helm/v3/cmd/helm", ("helm",))
HEALTH = GoProgram("health", "./health", ("health",))

TOOLS = {"health": HEALTH, "helm": HELM, "kubectl": KUBE}


def content_key(files: Iterable[tuple[str, bytes]], flags: Iterable[str]) -> str:
    """Hash names, contents and build flags."""
    digest = hashlib.sha256(" ".join(flags).encode())
    for name, content in sorted(files):
        digest.update(f"\0{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def pinned_version(module: str, text: str) -> str:
    """Return the version that the text of a go.mod pins, e.g. v1.34.4."""
    found = re.search(rf"^\s+{re.escape(module)} (v\S+)", text, re.MULTILINE)
    if found is None:
        raise InvalidInputError(f"expected go.mod to require {module}, found no such line")
    return found.group(1)


def build(paths: Paths, *programs: GoProgram) -> list[Path]:
    """Return the built programs, building first what the cache lacks; set their symlinks."""
    key = programs_key()
    binaries = {program: paths.cache / "binaries" / f"{program.name}-{key}" for program in programs}
    if not all(binary.exists() for binary in binaries.values()):
        with locked(paths.cache / "locks" / "go", "Go programs"):
            _compile({program: binary for program, binary in binaries.items() if not binary.exists()}, paths)
    for program, binary in binaries.items():
        for link in program.links:
            _point(paths.binaries / link, binary)
    return list(binaries.values())


def programs_key() -> str:
    """Return the hash of all that the programs follow from."""
    files = [file for file in GO.rglob("*") if file.is_file()]
    return content_key([(str(file.relative_to(GO)), file.read_bytes()) for file in files], _flags())


def _flags() -> tuple[str, ...]:
    """Strip the binaries and tell them their versions."""
    text = (GO / "go.mod").read_text()
    versions = (f"-X {variable}={pinned_version(module, text)}" for variable, module in _VERSIONS.items())
    return (*_FLAGS, f"-ldflags=-s -w {' '.join(versions)}")


def _compile(missing: dict[GoProgram, Path], paths: Paths) -> None:
    """Build by one command, which links one program while it compiles another; the steps beside it come first."""
    if not missing:
        return
    if shutil.which("go") is None:
        raise MissingPrerequisiteError(
            "expected Go 1.24 or newer on PATH, found no `go`; install it from https://go.dev/dl"
        )
    unfinished = paths.cache / "binaries" / "unfinished"
    unfinished.mkdir(parents=True, exist_ok=True)
    packages = [program.package for program in missing]
    with step(f"building {', '.join(program.name for program in missing)} from Go modules"):
        run(
            ["nice", "go", "build", *_flags(), "-o", f"{unfinished}/", *packages],
            cwd=GO,
            environment={"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off", **_MEMORY},
            log=paths.logs / "build-go.log",
        )
    for program, binary in missing.items():
        (unfinished / program.name).rename(binary)


def _point(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    unfinished = link.with_name(f".{link.name}.{os.getpid()}")  # who waited for the same build is here, too
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(target)
    unfinished.replace(link)
