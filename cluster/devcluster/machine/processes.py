"""Daemons that outlive the command: started in sessions of their own, found again by a record.

A process id alone proves nothing: after a crash or a reboot it may belong to somebody else. The
record also holds the process's start time in clock ticks and the machine's boot id, which together
name one process for ever. Nothing is trusted or killed whose three values differ.
"""

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_PROC = Path("/proc")
_GRACE_SECONDS = 3.0  # the API server would wait a minute for its watchers, and nothing is lost without
_START_TIME_FIELD = 19  # of the fields behind the command's name in /proc/PID/stat


@dataclass(frozen=True)
class Record:
    """What identifies a process we started, and what it was started from."""

    pid: int
    start_time: str
    boot_id: str
    fingerprint: str


def boot_id(proc: Path = _PROC) -> str:
    """Return a value that changes with every boot of the machine."""
    return (proc / "sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int, proc: Path = _PROC) -> str | None:
    """Clock ticks from boot to the start of the process; None when it is gone or a zombie."""
    try:
        text = (proc / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the name before may hold spaces and parentheses
    return None if fields[0] in "ZX" else fields[_START_TIME_FIELD]


def is_alive(record: Record, proc: Path = _PROC) -> bool:
    """Whether exactly the recorded process still runs."""
    return record.boot_id == boot_id(proc) and record.start_time == start_time(record.pid, proc)


def read_record(file: Path) -> Record | None:
    """Return the record, or None when there is none or it was cut short by a crash."""
    try:
        return Record(**json.loads(file.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def fingerprint(command: Sequence[str], inputs: Sequence[Path]) -> str:
    """Hash the command line and its configuration files: when it differs, a restart is due."""
    digest = hashlib.sha256("\0".join(command).encode())
    digest.update(os.path.realpath(command[0]).encode())
    for file in inputs:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def start(
    command: Sequence[str],
    *,
    file: Path,
    log: Path,
    mark: str,
    environment: Mapping[str, str] | None = None,
) -> Record:
    """Start a daemon, appending to its log, and record it."""
    with log.open("ab") as sink:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    started = start_time(process.pid) or "ended"
    record = Record(pid=process.pid, start_time=started, boot_id=boot_id(), fingerprint=mark)
    unfinished = file.with_suffix(".new")
    unfinished.write_text(json.dumps(asdict(record)))
    unfinished.replace(file)
    return record


def find(command: Sequence[str], proc: Path = _PROC) -> list[Record]:
    """Find running processes with exactly these arguments."""
    wanted = "\0".join(command) + "\0"
    found = []
    for folder in proc.iterdir():
        if folder.name.isdigit() and _arguments(folder) == wanted:
            started = start_time(int(folder.name), proc)
            if started is not None:
                found.append(Record(pid=int(folder.name), start_time=started, boot_id=boot_id(proc), fingerprint=""))
    return found


def _arguments(folder: Path) -> str:
    try:
        return (folder / "cmdline").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def stop(file: Path, *, grace: float = _GRACE_SECONDS) -> None:
    """End the recorded process if it still is the one, politely first, and forget it."""
    record = read_record(file)
    if record is not None:
        end(record, grace=grace)
    file.unlink(missing_ok=True)


def end(record: Record, *, grace: float = _GRACE_SECONDS) -> None:
    """End exactly this process, by force after `grace` seconds; return when it is gone."""
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, grace)):
        if not is_alive(record):
            return
        _signal(record, number)
        deadline = time.monotonic() + patience
        while is_alive(record) and time.monotonic() < deadline:
            time.sleep(0.05)


def _signal(record: Record, number: signal.Signals) -> None:
    try:
        os.kill(record.pid, number)
    except ProcessLookupError:
        return  # it ended by itself between the look and the signal
