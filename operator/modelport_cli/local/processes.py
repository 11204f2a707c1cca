"""Containers of a Job as processes of this machine: clean environments, a deadline, logs, and results or what is known.

All of a Job's start at once, as in a pod, and wait for each other by themselves. What a pod's status would tell of a
killed container, the exit status tells here.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from modelport.api.reasons import Reason
from modelport.encoding import decode
from modelport.errors import ModelportError
from modelport.jobs.containers import crash_of
from modelport.jobs.environment import CREDENTIALS_VARIABLE, REQUEST_VARIABLE, WORK_VARIABLE
from modelport.jobs.results import StepResult
from modelport.steps.runner import MAX_RESULT_FILE_BYTES, RESULT, printable
from modelport.storage.files import read_bytes
from modelport_cli.interrupts import uninterrupted

LOG_TAIL_BYTES = 2_048
_GRACE_SECONDS = 5.0
NETWORK_VARIABLES = (
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
)


class StepProcess(NamedTuple):
    """What to run, and where: steps that share a container, one after the other."""

    steps: tuple[str, ...]
    command: list[str]
    request: str
    job: Path
    """Folder of the Job: one folder per step."""
    credentials: Path
    scratch: Path
    code: Path
    network: bool = False

    @property
    def folders(self) -> list[Path]:
        """What it writes into."""
        return [*(self.job / step for step in self.steps), self.scratch]

    @property
    def log(self) -> Path:
        """What it writes."""
        return self.job / f"{self.steps[-1]}.log"


class StepError(ModelportError):
    """A step failed: which, and the last lines of its log."""

    def __init__(self, reason: Reason, message: str, *, step: str, log_tail: str) -> None:
        super().__init__(reason, message)
        self.step = step
        self.log_tail = log_tail


class RunningStep(NamedTuple):
    """A process that was started."""

    process: StepProcess
    child: subprocess.Popen[bytes]

    def wait(self, *, deadline: float) -> StepResult:
        """Return the result of the last step, once it is there. Raises StepError."""
        try:
            status = self.child.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            message = f"step {self.process.steps[-1]} was not done within conversion.timeoutSeconds"
            step = self.process.steps[-1]
            raise StepError(Reason.DEADLINE_EXCEEDED, message, step=step, log_tail=tail(self.process.log)) from error
        return [_read_result(self.process, step, status) for step in self.process.steps][-1]


@contextmanager
def start(processes: Sequence[StepProcess]) -> Iterator[list[RunningStep]]:
    """Start processes, and end them at the end with everything that they started."""
    running: list[RunningStep] = []
    try:
        for folder in (each for process in processes for each in process.folders):
            folder.mkdir(parents=True, exist_ok=True)  # all of them first: a process sees those that were there
        running.extend(RunningStep(process, _start(process)) for process in processes)
        yield running
    finally:
        with uninterrupted():
            end_groups([each.child for each in running])


def _start(process: StepProcess) -> subprocess.Popen[bytes]:
    with process.log.open("wb") as output:
        return subprocess.Popen(
            process.command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=process.scratch,
            env=step_environment(process),
            start_new_session=True,
        )


def step_environment(process: StepProcess) -> dict[str, str]:
    """Return the environment of a step: nothing of the user's but what the network needs, and that for fetch alone."""
    variables = {
        "PATH": os.defpath,
        "HOME": str(process.scratch),
        "TMPDIR": str(process.scratch),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(process.code),
        "PYTHONUNBUFFERED": "1",
        REQUEST_VARIABLE: process.request,
        WORK_VARIABLE: str(process.job),
        CREDENTIALS_VARIABLE: str(process.credentials),
        "MODELPORT_ALLOW_FILE": "1",
    }
    if process.network:
        variables |= {name: os.environ[name] for name in NETWORK_VARIABLES if name in os.environ}
    return variables


def end_groups(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """End children, each with everything that it started; they lead sessions of their own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for child in children:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, number)
        deadline = time.monotonic() + _GRACE_SECONDS
        for child in children:
            with suppress(subprocess.TimeoutExpired):
                child.wait(timeout=max(0.0, deadline - time.monotonic()))


def _read_result(process: StepProcess, step: str, status: int) -> StepResult:
    path, log = process.job / step / RESULT, process.log
    try:
        result = decode(read_bytes(path.parent, path.name, MAX_RESULT_FILE_BYTES), StepResult)
    except FileNotFoundError:
        raise StepError(crash_of(step), _crash(step, status), step=step, log_tail=tail(log)) from None
    except (msgspec.DecodeError, ModelportError) as error:  # a hop writes it, and a hop runs foreign code
        message = f"step {step}: its result is not what the contract says: {error}"
        raise StepError(crash_of(step), message, step=step, log_tail=tail(log)) from error
    if result.failure:
        raise StepError(result.failure.reason, result.failure.message, step=step, log_tail=tail(log))
    if status != 0 and step == process.steps[-1]:
        raise StepError(crash_of(step), _crash(step, status), step=step, log_tail=tail(log))
    return result


def _crash(step: str, status: int) -> str:
    number = -status if status < 0 else status - 128  # of the process itself, or as bubblewrap and shells tell it
    if number not in set(signal.Signals):
        return f"step {step} ended with exit status {status} and without a result"
    name = signal.Signals(number).name
    cause = " (most often for want of memory)" if name == "SIGKILL" else ""
    return f"step {step} was ended by {name}{cause}"


def tail(log: Path) -> str:
    """Return the last lines of a log, whole ones, without control characters."""
    data = log.read_bytes()
    text = data[-LOG_TAIL_BYTES:].decode(errors="replace")
    if len(data) > LOG_TAIL_BYTES:
        text = text.partition("\n")[2] or text
    return printable(text).encode()[-LOG_TAIL_BYTES:].decode(errors="ignore").strip("\n")
