"""What a process that opens model files gets to see of this machine: no more than its container would have.

Bubblewrap gives it namespaces of its own, in which there is nothing but its view: read-only the system, the
environment, our code and the volumes that it reads, and its own folders. Where that is not installed or not allowed,
Landlock holds it to the same view; what it cannot hold is said. Where there is neither, that is said.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from modelport_cli.errors import CommandError
from modelport_cli.local import landlock
from modelport_cli.local.environments import installation

Wanted = Literal["auto", "required", "none"]
INSTALL = "Install bubblewrap (bwrap), or run where user namespaces or Landlock (Linux 6.2) are allowed."
_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/gnu/store"),
    # of /etc and /sys no more than what loads libraries, names users, and finds processors
    *("/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf"),
    *("/sys/devices", "/sys/bus/pci", "/sys/fs/cgroup"),
    "/etc/java-17-openjdk",  # where Debian's Java keeps its settings
)
_RESOLVING = ("/etc/hosts", "/etc/resolv.conf")
_LIBRARIES = "import _bz2, _ctypes, _hashlib, _lzma, _ssl, zlib"
"""What needs libraries that lie beside a Python of an unusual place."""
_PROBE_SECONDS = 30


class View(NamedTuple):
    """What a process has: files to read beside the system's, files of its own, and the network or none."""

    reads: Sequence[Path] = ()
    writes: Sequence[Path] = ()
    network: bool = False

    @property
    def all_reads(self) -> list[str]:
        """Paths to read, the system's too, none in another; some may not exist."""
        paths = {*_SYSTEM, *(_RESOLVING if self.network else ()), *map(str, self.reads)}
        return [path for path in paths if not any(str(folder) in paths for folder in Path(path).parents)]


class Isolation(NamedTuple):
    """A way to keep a command to a view."""

    name: str
    wrap: Callable[[View, list[str]], list[str]]
    """Returns the command that runs the command so."""
    lacks: str = ""
    """What it leaves open."""

    @property
    def told(self) -> str:
        """The line that says it."""
        return f"isolation: {self.name}" + (f"; {self.lacks}" if self.lacks else "")


def _bubblewrap(view: View, command: list[str]) -> list[str]:
    seen = [*((path, "--ro-bind-try") for path in view.all_reads), *((str(path), "--bind") for path in view.writes)]
    binds = [word for path, option in sorted(seen) for word in (option, path, path)]  # folders before what is in them
    network = [] if view.network else ["--unshare-net"]
    capabilities = (
        [] if os.geteuid() else ["--cap-drop", "ALL"]
    )  # a superuser's; nobody else may say it in old versions
    return [
        *("bwrap", "--die-with-parent", "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts"),
        *(*network, *capabilities, "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),  # noqa: S108 - its own
        *(*binds, "--remount-ro", "/", "--", *command),
    ]


def _landlock(view: View, command: list[str]) -> list[str]:
    reads, writes = view.all_reads, [str(path) for path in view.writes]
    numbers = [str(int(number)) for number in (view.network, len(reads), len(writes))]
    return [sys.executable, "-I", "-S", landlock.__file__, *numbers, *reads, *writes, *command]


BUBBLEWRAP = Isolation("bubblewrap", _bubblewrap)
LANDLOCK = Isolation(
    "Landlock",
    _landlock,
    "" if landlock.version() >= landlock.SCOPES else "on a kernel before 6.12 a model's code could end your processes",
)
MECHANISMS = (BUBBLEWRAP, LANDLOCK)


def choose(python: Path, wanted: Wanted = "auto", mechanisms: Sequence[Isolation] = MECHANISMS) -> Isolation:
    """Return the first mechanism that runs this Python here, or what says that none does. Raises CommandError."""
    troubles: list[str] = []
    for mechanism in mechanisms if wanted != "none" else ():
        trouble = find_trouble(mechanism, python)
        if not trouble:
            return mechanism
        troubles.append(f"{mechanism.name}: {trouble}")
    why = "; ".join(troubles) or "not wanted"
    if wanted == "required":
        raise CommandError(f"--isolation required: expected a way to isolate steps, found none ({why})", INSTALL)
    return Isolation(f"none ({why})", lambda _, command: command, "the model's files are opened with your rights")


def find_trouble(mechanism: Isolation, python: Path) -> str:
    """Return why a mechanism does not run this Python here, nothing if it does."""
    command = mechanism.wrap(View(installation(python)), [str(python), "-I", "-S", "-c", _LIBRARIES])
    try:
        subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=_PROBE_SECONDS
        )
    except FileNotFoundError:
        return "not installed"
    except subprocess.CalledProcessError as error:
        return f"{(error.stderr.strip().splitlines() or [f'exit status {error.returncode}'])[-1]:.200}"
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{error!s:.200}"
    return ""
