"""Programs built from Go modules, kept in the cache under the hash of what they are made of.

Those of one Go module of ours share what they compile. go.sum locks every module, so the same key is the same program; a
fresh machine downloads and builds, any later one finds it done.
"""

import hashlib
import json
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

_FLAGS = ("-trimpath", "-buildvcs=false", "-tags=providerless", "-gcflags=all=-dwarf=false")  # linked without it anyway
_ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
_MEMORY = {"GOGC": "off", "GOMEMLIMIT": "2GiB"}  # of each compiler: collecting garbage is a sixth of its work


@dataclass(frozen=True)
class GoModule:
    """One go.mod of ours. Variables of packages are set to the versions that it pins of modules."""

    name: str
    folder: Path
    versions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class GoProgram:
    """One binary: its package, seen from its module's folder, and the names it is called by."""

    name: str
    module: GoModule
    package: str
    links: tuple[str, ...] = ()


CLUSTER = GoModule(
    "cluster",
    SOURCE / "go",
    (
        ("k8s.io/component-base/version.gitVersion", "k8s.io/kubernetes"),
        ("helm.sh/helm/v3/internal/version.version", "helm.sh/helm/v3"),
    ),
)
KUBE = GoProgram(
    "kube",
    CLUSTER,
    "./kube",
    ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl"),
)
COREDNS = GoProgram("coredns", CLUSTER, "./coredns")
PAUSE = GoProgram("pause", CLUSTER, "./pause")
HELM = GoProgram("helm", CLUSTER, "helm.sh/helm/v3/cmd/helm", ("helm",))
HEALTH = GoProgram("health", CLUSTER, "./health", ("health",))

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
    keys = {program.module: module_key(program.module) for program in programs}
    binaries = {each: paths.cache / "binaries" / f"{each.name}-{keys[each.module]}" for each in programs}
    for module in keys:
        if any(not binary.exists() for program, binary in binaries.items() if program.module == module):
            with locked(paths.cache / "locks" / f"go-{module.name}", f"the Go programs of {module.folder}"):
                missing = {p: b for p, b in binaries.items() if p.module == module and not b.exists()}
                _compile(module, missing, paths)
    for program, binary in binaries.items():
        for link in program.links:
            _point(paths.binaries / link, binary)
    return list(binaries.values())


def module_key(module: GoModule) -> str:
    """Return the hash of all that a module's programs follow from."""
    files = [file for file in module.folder.rglob("*") if file.is_file()]
    return content_key([(str(file.relative_to(module.folder)), file.read_bytes()) for file in files], _flags(module))


def source_folder(module: GoModule, dependency: str) -> Path:
    """Return the folder with the files of a module that ours requires, downloaded first if need be."""
    _require_go()
    download = run(["go", "mod", "download", "-json", dependency], cwd=module.folder, environment=_ENVIRONMENT)
    return Path(json.loads(download)["Dir"])


def _flags(module: GoModule) -> tuple[str, ...]:
    """Strip the binaries and tell them their versions."""
    text = (module.folder / "go.mod").read_text()
    versions = (f"-X {variable}={pinned_version(required, text)}" for variable, required in module.versions)
    return (*_FLAGS, f"-ldflags=-s -w {' '.join(versions)}")


def _compile(module: GoModule, missing: dict[GoProgram, Path], paths: Paths) -> None:
    """Build by one command, which links one program while it compiles another; the steps beside it come first."""
    if not missing:
        return
    _require_go()
    unfinished = paths.cache / "binaries" / f"unfinished-{module.name}"
    unfinished.mkdir(parents=True, exist_ok=True)
    packages = [program.package for program in missing]
    with step(f"building {', '.join(program.name for program in missing)} from Go modules"):
        run(
            ["nice", "go", "build", *_flags(module), "-o", f"{unfinished}/", *packages],
            cwd=module.folder,
            environment={**_ENVIRONMENT, **_MEMORY},
            log=paths.logs / f"build-go-{module.name}.log",
        )
    for program, binary in missing.items():
        (unfinished / program.package.rpartition("/")[2]).rename(binary)


def _require_go() -> None:
    if shutil.which("go") is None:
        raise MissingPrerequisiteError(
            "expected Go 1.24 or newer on PATH, found no `go`; install it from https://go.dev/dl"
        )


def _point(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    unfinished = link.with_name(f".{link.name}.{os.getpid()}")  # who waited for the same build is here, too
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(target)
    unfinished.replace(link)
