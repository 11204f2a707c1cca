"""The load generators and the peers' environments: installed once, into the cache if they are not Debian's."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from devcluster.machine.locks import locked
from devcluster.machine.progress import step
from serving.places import CACHE, HERE, BenchError

GHZ = "0.120.0"
_UV = str(Path(sys.executable).parent / "uv")
_INSTALL = (_UV, "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--requirement")
_GHZ_MODULE = "github.com/bojand/ghz/cmd/ghz"
PEERS = ("mlserver", "kserve")


def provide_all() -> None:
    """Install what is missing, so that it does not happen beside a measurement."""
    provide_wrk()
    provide_ghz()
    for peer in PEERS:
        provide_environment(peer)


def provide_wrk() -> str:
    """Return the path of wrk, installed by apt if it is missing."""
    if not shutil.which("wrk"):
        with step("installing Debian package wrk"):
            quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            command = ["apt-get", "install", "--yes", "--no-install-recommends", "wrk"]
            if subprocess.run(command, env=quiet, capture_output=True, check=False).returncode:
                _run(["apt-get", "update"])  # a new machine has no list of packages, or an old one
                _run(command, DEBIAN_FRONTEND="noninteractive")
    return shutil.which("wrk") or "wrk"


def provide_ghz() -> str:
    """Return the path of ghz, built from its Go module if it is missing."""
    folder = CACHE / f"ghz-{GHZ}"
    with locked(CACHE / "locks" / "ghz", "the build of ghz"):
        if not (folder / "ghz").exists():
            with step(f"building ghz {GHZ} from its Go module"):
                _run(["go", "install", "-trimpath", f"{_GHZ_MODULE}@v{GHZ}"], GOBIN=str(folder), CGO_ENABLED="0")
    return str(folder / "ghz")


def provide_environment(peer: str) -> Path:
    """Return the folder of programs of a peer's environment, made from its lock if it is missing."""
    lock = HERE / "locks" / f"{peer}.txt"
    key = hashlib.sha256(sys.version.encode() + lock.read_bytes()).hexdigest()[:16]
    folder = CACHE / f"{peer}-{key}"
    done = folder / "complete"
    with locked(CACHE / "locks" / peer, f"the environment of {peer}"):
        if not done.exists():
            with step(f"installing {peer}"):
                _run([_UV, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)])
                _run([*_INSTALL, str(lock)], VIRTUAL_ENV=str(folder))
                done.touch()
    return folder / "bin"


def provide_package(name: str, requirement: str) -> Path:
    """Return a folder with one package, without what it depends on; `requirement` has its hash."""
    folder = CACHE / f"{name}-{hashlib.sha256(requirement.encode()).hexdigest()[:16]}"
    done = folder / "complete"
    with locked(CACHE / "locks" / name, f"the package of {name}"):
        if not done.exists():
            with step(f"downloading {requirement.split(maxsplit=1)[0]}"):
                folder.mkdir(exist_ok=True)
                lock = folder / "lock.txt"
                lock.write_text(requirement + "\n")
                _run([*_INSTALL, str(lock), "--target", str(folder)])
                done.touch()
    return folder


def _run(command: list[str], **variables: str) -> None:
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{' '.join(command)}: exit status {done.returncode}: {done.stderr[-2000:]}")
