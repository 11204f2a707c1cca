"""What a cluster that crashed leaves on the machine, found by our own paths and names only.

Shims keep containers alive without containerd, mounts keep volumes busy, network namespaces keep
interfaces; each is recognised by our socket, our folders, our bridge, never by a program's name.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from itertools import pairwise
from pathlib import Path

from devcluster.machine.processes import boot_id
from devcluster.paths import Paths

_CNI_RESULTS = Path("/var/lib/cni/results")
_NAMESPACES = (Path("/run/netns"), Path("/var/run/netns"))


def forget_earlier_boot(paths: Paths) -> None:
    """Empty the run folder after a reboot: on disks without tmpfs it survives, and all in it lies."""
    mark = paths.run / "boot-id"
    if mark.exists() and mark.read_text() == boot_id():
        return
    if not mark.exists() and not (paths.run / "containerd").exists():
        mark.write_text(boot_id())
        return
    for entry in paths.run.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.name != "up.lock":
            entry.unlink()
    paths.make()
    mark.write_text(boot_id())


def kill_shims(paths: Paths, proc: Path = Path("/proc")) -> None:
    """Kill the shims that serve our containerd's socket, and with them their containers' inits."""
    for _ in range(50):
        shims = find_shims(paths.containerd_socket, proc)
        if not shims:
            return
        for pid in shims:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


def find_shims(socket: Path, proc: Path = Path("/proc")) -> list[int]:
    """Find processes whose arguments say `-address OUR-SOCKET`."""
    found = []
    for folder in proc.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        is_shim = Path(words[0]).name.startswith("containerd-shim")
        if is_shim and ("-address", str(socket)) in pairwise(words):
            found.append(int(folder.name))
    return found


def unmount_all(paths: Paths, mounts: Path = Path("/proc/self/mounts")) -> None:
    """Unmount whatever lies under our folders, the deepest first."""
    for _ in range(3):  # mounts may lie over each other
        below = mounts_below((paths.state, paths.run), mounts.read_text())
        if not below:
            return
        for point in below:
            subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)


def mounts_below(folders: tuple[Path, ...], mounts: str) -> list[str]:
    """Read mount points from /proc/self/mounts, which writes a blank as an octal escape."""
    points = [line.split()[1].replace("\\040", " ") for line in mounts.splitlines()]
    prefixes = tuple(f"{folder}/" for folder in folders)
    return sorted((p for p in points if p.startswith(prefixes)), reverse=True)


def remove_pod_networks(network: str) -> None:
    """Delete the network namespaces that the bridge plugin's records of our network name."""
    if not _CNI_RESULTS.is_dir():
        return
    for record in _CNI_RESULTS.glob(f"{network}-*"):
        for namespace in _namespaces_in(record):
            subprocess.run(["umount", "--lazy", str(namespace)], check=False, capture_output=True)
            namespace.unlink(missing_ok=True)
        record.unlink(missing_ok=True)
        container = record.name.removeprefix(f"{network}-").rpartition("-")[0]
        (_CNI_RESULTS / f"cni-loopback-{container}-lo").unlink(missing_ok=True)


def _namespaces_in(record: Path) -> set[Path]:
    try:
        interfaces = json.loads(record.read_text())["result"].get("interfaces", [])
    except (ValueError, KeyError):
        return set()
    paths = {Path(i["sandbox"]) for i in interfaces if i.get("sandbox")}
    return {path for path in paths if path.parent in _NAMESPACES}
