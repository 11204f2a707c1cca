"""The runner of steps: what makes functions one container of a Job.

All containers of a pod start at once; a step waits for its predecessor through files, and loads its framework
meanwhile. Each step holds a lock (flock) in its own volume as long as its container lives, and leaves `result.json`, by
rename, as its last act. So a later step, which sees that volume read-only, can tell the three cases apart: a result; a
held lock, to wait; a free lock without a result: the predecessor was killed.

Steps that share a container run one after the other; the first that fails ends it, and those after it are skipped.
"""

import errno
import fcntl
import functools
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, NoReturn

import msgspec

from modelport.api.reasons import ADVICE, Reason
from modelport.encoding import decode
from modelport.errors import ModelportError, lacks_memory
from modelport.jobs.containers import crash_of
from modelport.jobs.environment import (
    CREDENTIALS_VARIABLE,
    DEFAULT_CREDENTIALS,
    DEFAULT_WORK,
    MAX_EVIDENCE_BYTES,
    MAX_RESULT_BYTES,
    REQUEST_VARIABLE,
    TERMINATION_LOG,
    WORK_VARIABLE,
    ExitStatus,
)
from modelport.jobs.requests import JobRequest, decode_request
from modelport.jobs.results import StepFailure, StepResult
from modelport.steps.sandbox import enter_sandbox
from modelport.storage.files import read_bytes

RESULT = "result.json"
LOCK = "lock"
OUT = "out"
POLL_SECONDS = 0.02
MEANWHILE_SECONDS = 60.0
MAX_RESULT_FILE_BYTES = 1 << 20
MAX_MESSAGE_CHARACTERS = 500
replace = msgspec.structs.replace


class Context(NamedTuple):
    """What a step may use."""

    name: str
    request: JobRequest
    work: Path
    credentials_root: Path

    @property
    def out(self) -> Path:
        """Folder of this step's files."""
        return self.work / self.name / OUT

    def out_of(self, step: str) -> Path:
        """Return the folder of an earlier step's files; what is in it may be hostile."""
        return self.work / step / OUT

    def result_of(self, step: str) -> StepResult | None:
        """Return what an earlier step reported, if it has."""
        return _read_result(self.work / step)

    def credentials(self, role: str) -> Path:
        """Return the folder of a role's credentials, one file per key; it is there only in steps that hold them."""
        return self.credentials_root / role


class Step(NamedTuple):
    """One step: its function, its predecessor, and whether it opens model files."""

    name: str
    function: Callable[[Context], StepResult]
    waits_for: str | None = None
    sandboxed: bool = False
    prepare: Callable[[JobRequest], object] = lambda _request: None
    """Loads what the function will need, while the predecessor still works."""
    meanwhile: Callable[[Context], object] = lambda _context: None
    """Is called now and then while the step waits, and when that ends, however it does."""


_enter_sandbox = functools.cache(enter_sandbox)
"""Once for all steps of a container: the filter cannot be taken off."""


class _SkippedError(Exception):
    """An earlier step left no result to go on from."""


def run(*steps: Step) -> int:
    """Run the steps of a container to their end: wait, work, leave the results. Returns the exit status."""
    _end_on_sigterm()
    work = Path(os.environ.get(WORK_VARIABLE, DEFAULT_WORK))
    for step in steps:  # all of them first: who waits for the last one must see that it is yet to come
        own = work / step.name
        own.mkdir(parents=True, exist_ok=True)
        (own / RESULT).unlink(missing_ok=True)  # of an earlier run in the same folder: nobody may go on from it
        _hold_lock(own)
    first = steps[0]._replace(prepare=lambda request: [step.prepare(request) for step in steps])
    status = ExitStatus.DONE
    for step in (first, *steps[1:]):
        result, status = _attempt(step, work)
        if result is not None:
            _leave(result, work / step.name)
            if result.failure or step.name == steps[-1].name:
                leave_message(result)
        if status != ExitStatus.DONE:
            break
    return status


def _hold_lock(own: Path) -> None:
    """Lock before the name appears: a waiting step that saw the file unlocked would take this one for dead."""
    new = own / f".{LOCK}"
    lock = os.open(new, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    fcntl.flock(lock, fcntl.LOCK_EX)  # never closed: the kernel releases it, however the process ends
    new.rename(own / LOCK)


def _attempt(step: Step, work: Path) -> tuple[StepResult | None, ExitStatus]:
    """Return the result and the exit status; no result for a step that was skipped."""
    try:
        context = Context(
            step.name, request_from_environment(), work, Path(os.environ.get(CREDENTIALS_VARIABLE, DEFAULT_CREDENTIALS))
        )
        step.prepare(context.request)
        if step.waits_for:
            _wait_for(work / step.waits_for, lambda: step.meanwhile(context))
        if step.sandboxed:
            _enter_sandbox()
        context.out.mkdir(exist_ok=True)
        started = time.monotonic()
        say(step.name, "started")
        result = checked(step.function(context))
    except _SkippedError as skipped:
        say(step.name, f"skipped: {skipped}")
        return None, ExitStatus.SKIPPED
    # the one place where a step's unknown errors end: told, never passed over. Foreign code may also call sys.exit.
    except (Exception, SystemExit) as error:  # noqa: BLE001
        if lacks_memory(error):
            return _failed(
                step.name, Reason.OUT_OF_MEMORY, f"step {step.name}: expected enough memory, found its limit"
            )
        if isinstance(error, ModelportError):
            return _failed(step.name, error.reason, error.message)
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return _failed(
                step.name, Reason.STORAGE_EXCEEDED, f"step {step.name}: expected room for its files, found none"
            )
        traceback.print_exc()
        told = " ".join(str(error).split())[:MAX_MESSAGE_CHARACTERS]
        return _failed(step.name, crash_of(step.name), f"step {step.name}: {type(error).__name__}: {told}")
    say(step.name, f"done in {time.monotonic() - started:.2f} s")
    return result, ExitStatus.DONE


def request_from_environment() -> JobRequest:
    """Return the request that the operator gave. Raises ModelportError (StepCrashed)."""
    text = os.environ.get(REQUEST_VARIABLE)
    if not text:
        raise ModelportError(Reason.STEP_CRASHED, f"expected the request in ${REQUEST_VARIABLE}, found nothing")
    try:
        return decode_request(text)
    except msgspec.DecodeError as error:
        message = f"${REQUEST_VARIABLE}: {error}; operator and images must be of one version"
        raise ModelportError(Reason.STEP_CRASHED, message) from error


def _failed(step: str, reason: Reason, message: str) -> tuple[StepResult, ExitStatus]:
    message = printable(message)[:MAX_MESSAGE_CHARACTERS]
    say(step, f"{reason}: {message}")
    again = ADVICE[reason].retryable or reason == Reason.CONVERTER_CRASHED  # as often as the spec asks for
    status = ExitStatus.RETRY if again else ExitStatus.INVALID
    return StepResult(step=step, failure=StepFailure(reason=reason, message=message)), status


def printable(text: str) -> str:
    """Return foreign words without what a terminal would obey; lines stay apart."""
    return "".join(letter for letter in text if letter.isprintable() or letter == "\n")


def say(step: str, text: str) -> None:
    """Write a line to the log."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S', time.gmtime())} {step}: {text}\n")


# --- waiting --------------------------------------------------------------------------------------------------------


def _wait_for(earlier: Path, meanwhile: Callable[[], object]) -> None:
    try:
        _wait(earlier, meanwhile)
    finally:
        meanwhile()


def _wait(earlier: Path, meanwhile: Callable[[], object]) -> None:
    called = time.monotonic()
    while True:
        if time.monotonic() - called > MEANWHILE_SECONDS:
            meanwhile()
            called = time.monotonic()
        alive = _is_alive(earlier / LOCK)  # looked at before the result: it cannot end between the two unseen
        result = _read_result(earlier)
        if result is not None:
            if result.failure:
                raise _SkippedError(f"{earlier.name} failed")
            return
        if alive is False:
            raise _SkippedError(f"{earlier.name} ended without a result")
        time.sleep(POLL_SECONDS)


def _is_alive(lock: Path) -> bool | None:
    """Whether the step that owns the lock lives; None if it has not begun."""
    try:
        file = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _read_result(earlier: Path) -> StepResult | None:
    try:
        content = read_bytes(earlier, RESULT, MAX_RESULT_FILE_BYTES)
        return decode(content, StepResult)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, ModelportError) as error:
        raise _SkippedError(f"{earlier.name} left no readable result: {error}") from error


# --- leaving the result ---------------------------------------------------------------------------------------------


def _leave(result: StepResult, own: Path) -> None:
    new = own / f".{RESULT}"
    new.write_bytes(msgspec.json.encode(result))
    new.rename(own / RESULT)


def leave_message(result: StepResult) -> None:
    """Write the result into the container's termination message, where there is one: on a cluster."""
    log = Path(os.environ.get("MODELPORT_TERMINATION_LOG", TERMINATION_LOG))
    if log.exists():
        log.write_bytes(fit(result))


def fit(result: StepResult, limit: int | None = None) -> bytes:
    """Return the result as JSON of at most `limit` bytes: what does not fit is left out, the least important first.

    Of a source it is the signature; of evidence what was measured of performance, the least bad outputs, then all caveats but the first, then edges and
    caveats are cut; of a failure the end of its message.
    """
    limit = limit or (MAX_EVIDENCE_BYTES if result.verification else MAX_RESULT_BYTES)
    encoded = msgspec.json.encode(result)
    for shorten in (_without_signature, _shorter_evidence, _shorter_message):
        while len(encoded) > limit and (shorter := shorten(result)):
            result, encoded = shorter, msgspec.json.encode(shorter)
    return encoded


def checked(result: StepResult) -> StepResult:
    """Return the result as far as whoever reads it can: a name may be longer than a status has room for.

    Raises ModelportError (ConversionFailed) with the place in the result that breaks a bound.
    """
    try:
        return decode(msgspec.json.encode(result), StepResult)
    except msgspec.DecodeError as error:
        if shorter := _without_signature(result):
            return checked(shorter)
        message = f"what step {result.step} found has no place in the status: {error}"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error


def _without_signature(result: StepResult) -> StepResult | None:
    if result.source is None or result.source.signature is None:
        return None
    return replace(result, source=replace(result.source, signature=None))


def _shorter_evidence(result: StepResult) -> StepResult | None:
    facts = result.verification
    if facts is None:
        return None
    if facts.performance:  # no verdict follows from it
        return replace(result, verification=replace(facts, performance=None))
    if len(facts.outputs) > 1:
        facts = replace(facts, outputs=facts.outputs[:-1])
    elif len(facts.caveats) > 1:
        facts = replace(facts, caveats=facts.caveats[:-1])
    elif facts.edges or facts.caveats:
        cut = [caveat[: len(caveat) // 2] for caveat in facts.caveats]
        facts = replace(facts, edges=facts.edges[: len(facts.edges) // 2], caveats=[each for each in cut if each])
    elif facts.outputs:
        facts = replace(facts, outputs=[])
    else:
        return None
    return replace(result, verification=replace(facts, truncated=True))


def _shorter_message(result: StepResult) -> StepResult | None:
    failure = result.failure
    if failure is None or not failure.message:
        return None
    return replace(result, failure=replace(failure, message=failure.message[: len(failure.message) * 3 // 4]))


def main(*steps: Step) -> NoReturn:
    """Run the steps of a container as a process."""
    sys.exit(run(*steps))


def _end_on_sigterm() -> None:
    """Let SIGTERM end the process at once: the lock tells the others, and there is nothing to save.

    A container's first process ignores it otherwise, so that each deleted pod would wait for its grace period. The
    exit is hard because foreign code must not catch it.
    """
    signal.signal(signal.SIGTERM, lambda number, _frame: os._exit(128 + number))
