"""The Debian packages that the cluster and the image builder stand on, and single files of others."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from devcluster.errors import CommandFailedError
from devcluster.machine.commands import run
from devcluster.machine.progress import step

PACKAGES = (
    "buildah",
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "debootstrap",
    "etcd-server",
    "iproute2",
    "iptables",
    "openssl",
    "runc",
    "uidmap",
)
_QUIET = {"DEBIAN_FRONTEND": "noninteractive"}


def install_packages() -> None:
    """Install what is missing."""
    missing = missing_packages(_installed())
    if not missing:
        return
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends", *missing]
    with step(f"installing Debian packages: {' '.join(missing)}"):
        _run_apt(command)


def _run_apt(command: Sequence[str], cwd: Path | None = None) -> None:
    """Run a command that takes packages; their lists are fetched only if the first try fails."""
    try:
        run(command, cwd=cwd, environment=_QUIET)
    except CommandFailedError:
        run(["apt-get", "update"], environment=_QUIET)
        run(command, cwd=cwd, environment=_QUIET)


def missing_packages(installed: str) -> tuple[str, ...]:
    """Compare with `dpkg-query` lines of the form `NAME STATUS`."""
    present = {line.split()[0] for line in installed.splitlines() if line.endswith(" installed")}
    return tuple(name for name in PACKAGES if name not in present)


def _installed() -> str:
    try:
        return run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *PACKAGES])
    except CommandFailedError as error:  # dpkg-query fails when it does not know one of the names
        return error.output


def file_of_package(package: str, file: str, folder: Path) -> Path:
    """Return a file of a Debian package that is not installed, kept in `folder`; its package is downloaded once.

    `file` is its path in the package, such as `usr/bin/promtool`.
    """
    kept = folder / Path(file).name
    if kept.exists():
        return kept
    with step(f"fetching {file} of Debian package {package}"), TemporaryDirectory() as unpacked:
        _run_apt(["apt-get", "download", package], cwd=Path(unpacked))
        (archive,) = Path(unpacked).glob("*.deb")
        run(["dpkg-deb", "--extract", str(archive), unpacked])
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f".{kept.name}.{os.getpid()}"  # several processes may want it at the same time
        shutil.copy(Path(unpacked) / file, unfinished)
        unfinished.rename(kept)
    return kept
