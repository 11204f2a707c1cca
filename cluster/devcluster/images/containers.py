"""Talking to our containerd with its own client, always in Kubernetes' namespace."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from devcluster.machine.commands import run
from devcluster.paths import Paths


def ctr(paths: Paths, *arguments: str) -> str:
    """Run one `ctr` command."""
    return run(ctr_command(paths, *arguments))


def ctr_command(paths: Paths, *arguments: str) -> list[str]:
    """Build the command line for one `ctr` command."""
    return ["ctr", "--address", str(paths.containerd_socket), "--namespace", "k8s.io", *arguments]


def image_names(paths: Paths) -> set[str]:
    """All names under which containerd has images."""
    return set(ctr(paths, "images", "list", "--quiet").split())


def image_references(paths: Paths) -> dict[str, str]:
    """Digests of all images by the names under which containerd has them."""
    rows = ctr(paths, "images", "list").splitlines()[1:]
    return {name: digest for name, _type, digest, *_ in (row.split() for row in rows)}


def import_archive(paths: Paths, archive: Path) -> None:
    """Take in an OCI archive whose index names its image."""
    ctr(paths, "images", "import", str(archive))


def name_image(paths: Paths, source: str, targets: Sequence[str]) -> None:
    """Give an image further names; the kubelet only finds a digest that is a name, too."""
    if targets:
        ctr(paths, "images", "tag", "--force", source, *targets)


def pin_image(paths: Paths, name: str) -> None:
    """Let the kubelet leave an image where the disk runs full."""
    ctr(paths, "images", "label", name, "io.cri-containerd.pinned=pinned")


def kill_all_tasks(paths: Paths) -> None:
    """Kill every container of our containerd; one that just ended by itself is fine."""
    for task in ctr(paths, "tasks", "list", "--quiet").split():
        command = ctr_command(paths, "tasks", "kill", "--signal", "SIGKILL", task)
        subprocess.run(command, check=False, capture_output=True)
