"""Where things lie, and how errors are told."""

import platform
import socket
from datetime import UTC, datetime
from os import cpu_count
from pathlib import Path

from devcluster.paths import find_paths

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RESULTS = ROOT / "bench" / "results"
PROTO = ROOT / "images" / "server" / "modelport_server" / "protocol" / "inference.proto"
PATHS = find_paths()
CACHE = PATHS.cache / "bench-serving"


class BenchError(Exception):
    """Something that makes the numbers worthless; the message says what was expected and what was found."""


def machine() -> str:
    """Return what the numbers hold for."""
    return f"{cpu_count()} cores, {platform.machine()}, Linux {platform.release()}"


def today() -> str:
    """Return the date of a result."""
    return datetime.now(UTC).date().isoformat()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
