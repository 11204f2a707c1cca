"""Running other programs: output kept for the error message, nothing left running on Ctrl-C."""

import os
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from devcluster.errors import CommandFailedError, MissingPrerequisiteError

_running: set[subprocess.Popen[bytes]] = set()
_ending = threading.Event()
_lock = threading.Lock()
_GRACE_SECONDS = 5.0
_INTERRUPTED = 130


def run(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: str | None = None,
    log: Path | None = None,
) -> str:
    """Run a program to its end and return its stdout; with `log`, both outputs go to that file."""
    with _output_to(log) as sink, _started(command, cwd, environment, sink, stdin) as process:
        out, err = process.communicate(stdin.encode() if stdin is not None else None)
    if process.returncode:
        told = log.read_text(errors="replace") if log else (out + err).decode(errors="replace")
        raise CommandFailedError(command, process.returncode, told)
    return (out or b"").decode(errors="replace")


@contextmanager
def _output_to(log: Path | None) -> Iterator[IO[bytes] | None]:
    if log is None:
        yield None
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as sink:
        yield sink


@contextmanager
def _started(
    command: Sequence[str],
    cwd: Path | None,
    environment: Mapping[str, str] | None,
    sink: IO[bytes] | None,
    stdin: str | None,
) -> Iterator[subprocess.Popen[bytes]]:
    if _ending.is_set():
        raise CommandFailedError(command, _INTERRUPTED, "ended before it began, because another one failed")
    try:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=sink or subprocess.PIPE,
            stderr=subprocess.STDOUT if sink else subprocess.PIPE,
        )
    except FileNotFoundError as error:
        message = f"expected the program `{command[0]}` on PATH, found none; install it and try again"
        raise MissingPrerequisiteError(message) from error
    with _lock:
        _running.add(process)
    try:
        yield process
    finally:
        with _lock:
            _running.discard(process)
        _end(process)


def end_all() -> None:
    """End what other threads of this command still run, and let them begin nothing more (a failure, or Ctrl-C)."""
    _ending.set()
    with _lock:
        left = list(_running)
    for process in left:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
