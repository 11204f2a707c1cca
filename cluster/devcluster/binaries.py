"""Programs built from Go modules, kept in the cache under the hash of what they are made of.

go.sum locks every module, so the same key is the same program; a fresh machine downloads and
builds, any later one finds it done.
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


@dataclass(frozen=True)
class GoProgram:
    """One binary: its folder under go/, the package in it, and where its version number goes."""

    name: str
    module: str
    package: str = "."
    tags: str = ""
    version_variable: str = ""
    links: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where go.mod lies."""
        return SOURCE / "go" / self.name

    @property
    def version(self) -> str:
        """The version that go.mod pins, e.g. v1.34.4."""
        text = (self.folder / "go.mod").read_text()
        found = re.search(rf"^(?:require)?\s+{re.escape(self.module)} (v\S+)", text, re.MULTILINE)
        if found is None:
            raise InvalidInputError(f"expected {self.folder}/go.mod to require {self.module}, found no such line")
        return found.group(1)

    def linker_flags(self) -> str:
        """Strip the binary and tell it its version."""
        if not self.version_variable:
            return "-s -w"
        return f"-s -w -X {self.version_variable}={self.version}"


KUBE = GoProgram(
    name="kube",
    module="k8s.io/kubernetes",
    tags="providerless",
    version_variable="k8s.io/component-base/version.gitVersion",
    links=("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl"),
)
COREDNS = GoProgram(name="coredns", module="github.com/coredns/coredns")
HELM = GoProgram(
    name="helm",
    module="helm.sh/helm/v3",
    package="helm.sh/helm/v3/cmd/helm",
    version_variable="helm.sh/helm/v3/internal/version.version",
    links=("helm",),
)
PAUSE = GoProgram(name="pause", module="")

TOOLS = {"helm": HELM, "kubectl": KUBE}


def program_key(files: Iterable[tuple[str, bytes]], flags: str) -> str:
    """Hash names, contents and build flags."""
    digest = hashlib.sha256(flags.encode())
    for name, content in sorted(files):
        digest.update(f"\0{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def build(program: GoProgram, paths: Paths) -> Path:
    """Return the built program, building it first if the cache lacks it; set its symlinks."""
    flags = "-s -w" if program is PAUSE else program.linker_flags()
    files = [(file.name, file.read_bytes()) for file in program.folder.iterdir() if file.is_file()]
    key = program_key(files, f"{program.package} {program.tags} {flags}")
    binary = paths.cache / "binaries" / f"{program.name}-{key}"
    if not binary.exists():
        with locked(paths.cache / "locks" / program.name, f"the build of {program.name}"):
            if not binary.exists():
                _compile(program, flags, binary, paths)
    for link in program.links:
        _point(paths.binaries / link, binary)
    return binary


def _compile(program: GoProgram, flags: str, binary: Path, paths: Paths) -> None:
    if shutil.which("go") is None:
        raise MissingPrerequisiteError(
            "expected Go 1.24 or newer on PATH, found no `go`; install it from https://go.dev/dl"
        )
    binary.parent.mkdir(parents=True, exist_ok=True)
    unfinished = binary.with_suffix(".new")
    command = ["go", "build", "-trimpath", "-buildvcs=false", "-tags", program.tags, "-ldflags", flags]
    with step(f"building {program.name} from its Go modules"):
        run(
            [*command, "-o", str(unfinished), program.package],
            cwd=program.folder,
            environment={"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"},
            log=paths.logs / f"build-{program.name}.log",
        )
    unfinished.rename(binary)


def _point(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    unfinished = link.with_name(f".{link.name}.{os.getpid()}")  # who waited for the same build is here, too
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(target)
    unfinished.replace(link)
