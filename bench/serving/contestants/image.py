"""Our server's image as shipped: its file system from containerd, its settings from the image's configuration.

A process of the image gets its own view of mounts and the image as its root, so that what is mounted for it goes with it
however it ends. It is no further contained than that: limits would be the benchmark's, not the image's.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from devcluster.deployment import provide_images
from devcluster.images.containers import ctr, ctr_command
from devcluster.machine.locks import locked
from devcluster.machine.progress import step
from serving.places import CACHE, PATHS

IMAGE = "server-onnxruntime"
_ENTER = """set -e; root=$1; folder=$2; user=$3; shift 3
mount --bind --options ro "$folder" "$root/mnt"
mount --rbind /dev "$root/dev"
mount --types proc proc "$root/proc"
mount --types tmpfs tmpfs "$root/tmp"
exec chroot --userspec="$user" "$root" env --ignore-environment "$@"
"""


class Place(Protocol):
    """Where our server's processes run."""

    def python(self, folder: Path, *arguments: str) -> list[str]:
        """Return the command of Python there; the argument FOLDER is replaced by where it sees `folder`."""


class Checkout(NamedTuple):
    """This environment, with the code of the checkout."""

    def python(self, folder: Path, *arguments: str) -> list[str]:
        """Return the command."""
        return [sys.executable, *(str(folder) if each == "FOLDER" else each for each in arguments)]


class Mounted(NamedTuple):
    """The image."""

    root: Path
    user: str
    variables: list[str]

    def python(self, folder: Path, *arguments: str) -> list[str]:
        """Return the command; its process is the one that is started, whatever it becomes on the way."""
        enter = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _ENTER, "enter"]
        inside = ["/mnt" if each == "FOLDER" else each for each in arguments]
        return [*enter, str(self.root), str(folder), self.user, *self.variables, "python", *inside]


@contextmanager
def mounted() -> Iterator[Mounted]:
    """Build the image if it is not up to date, and mount it."""
    reference = provide_images(PATHS, "embedded", [IMAGE])[IMAGE]
    root = CACHE / "image"
    root.mkdir(parents=True, exist_ok=True)
    with locked(CACHE / "locks" / "image", "the mounted image"):
        _unmount(root)  # what a killed run left
        with step("mounting the image", quiet_below=2):
            ctr(PATHS, "images", "mount", reference, str(root))
        try:
            settings = _settings(reference)
            yield Mounted(root, settings["User"], settings["Env"])
        finally:
            _unmount(root)


def _unmount(root: Path) -> None:
    subprocess.run(ctr_command(PATHS, "images", "unmount", "--rm", str(root)), capture_output=True, check=False)


def _settings(reference: str) -> dict[str, Any]:
    manifest = json.loads(ctr(PATHS, "content", "get", reference.partition("@")[2]))
    settings: dict[str, Any] = json.loads(ctr(PATHS, "content", "get", manifest["config"]["digest"]))["config"]
    return settings
