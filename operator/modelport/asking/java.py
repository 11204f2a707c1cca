"""A program of Java that answers for one model, over pipes: no sockets, and no files outside its own folder, if it has one.

It takes questions of any form, and begins with an answer, once the model is loaded. An answer is a byte, a length (int64,
little-endian) and so many bytes: 0 and what was asked for; 1 and why it is refused; 2 and what memory was too short for, which
ends the process, as any other number does. It ends with the object that stands for it, or with the process that started it,
whatever ends that.
"""

import os
import resource
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from modelport.api.reasons import Reason
from modelport.errors import ModelportError

JARS = "jars"
"""The folder of what a program is run with, in an image and in an environment alike."""
DONE, REFUSED, NO_MEMORY = range(3)
HEAD = struct.Struct("<bq")
SECONDS = 900.0
"""That an answer may take, or the start: then a process that hangs is ended."""
CHUNK = 1 << 20
"""Bytes that are taken at once."""
KILLED = -9
OPTIONS = (
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",  # a file in /tmp
    "-Dfile.encoding=UTF-8",  # of what is in the files, wherever this runs
    "-XX:+DisplayVMOutputToStderr",  # not between answers
    "-XX:+ErrorFileToStderr",  # a crash leaves no file either
    "-Xlog:disable",
)
THREADS = "OMP_NUM_THREADS"
"""The one variable that what computes natively is told."""


class RefusedError(RuntimeError):
    """What the program says of a question that it does not answer."""


class Program(NamedTuple):
    """What is run: a single source file, for which Debian's runtime has its compiler."""

    path: Path
    name: str
    """Of what answers, as messages call it."""
    reason: Reason
    """Of its end, or its refusal of the model."""
    options: tuple[str, ...] = ()
    has_folder: bool = False
    """Whether it needs a folder, such as for native libraries that it unpacks."""


class Process:
    """One process; for one thread at a time."""

    def __init__(self, program: Program, arguments: Sequence[str]) -> None:
        """Start it, and take its first answer. Raises ModelportError (the program's reason) with why, and MemoryError."""
        self._program = program
        folder = tempfile.mkdtemp(prefix="java-") if program.has_folder else ""
        # what unpacks native libraries keeps them in either; Java takes the home from the list of users, and not from HOME
        own = [f"-Djava.io.tmpdir={folder}", f"-Duser.home={folder}"] if folder else []
        jars = f"{Path(sys.prefix) / JARS}/*"
        options = [*OPTIONS, *_limit_memory(), *own, *program.options]
        try:
            self._process = subprocess.Popen(
                ["java", *options, "-cp", jars, str(program.path), *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                cwd=folder or None,
                env=_environment(folder),
            )
        except FileNotFoundError as error:
            shutil.rmtree(folder, ignore_errors=True)
            message = "expected java on this machine, found none; install a Java runtime of version 17 or newer, such as openjdk-17-jre-headless"
            raise ModelportError(Reason.RUNTIME_UNSUPPORTED, message) from error
        self._end = weakref.finalize(self, _end, self._process, folder)
        assert self._process.stdin
        assert self._process.stdout
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        for pipe in (self._to, self._from):
            os.set_blocking(pipe, False)
        try:
            self.first = self._take_answer(time.monotonic() + SECONDS)
        except RefusedError as error:
            raise ModelportError(program.reason, f"{program.name} refuses the model: {error!s:.350}") from error

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    @property
    def number(self) -> int:
        """Its number among the machine's processes."""
        return self._process.pid

    def end(self) -> None:
        """End it now."""
        self._end()

    def ask(self, question: bytes) -> bytes:
        """Return the answer.

        Raises RefusedError, ModelportError (the program's reason) where the process ended or takes too long, and MemoryError.
        """
        if not self.is_alive:
            raise self._explain_end()
        deadline = time.monotonic() + SECONDS
        with suppress(BrokenPipeError):  # what the process left behind tells why
            self._send(question, deadline)
        return self._take_answer(deadline)

    def _send(self, question: bytes, deadline: float) -> None:
        rest = memoryview(question)
        while rest:
            try:
                rest = rest[os.write(self._to, rest) :]
            except BlockingIOError:
                self._wait(self._to, select.POLLOUT, deadline)

    def _take_answer(self, deadline: float) -> bytes:
        status, length = HEAD.unpack(self._take(HEAD.size, deadline))
        content = self._take(length, deadline)
        if status == DONE:
            return content
        text = content.decode(errors="replace")
        if status != REFUSED:  # the process ends
            self.end()
        if status == NO_MEMORY:
            raise MemoryError(f"{self._program.name}: {text:.200}")
        raise RefusedError(text[:300])

    def _take(self, length: int, deadline: float) -> bytes:
        content = bytearray()
        while len(content) < length:
            try:
                chunk = os.read(self._from, min(CHUNK, length - len(content)))
            except BlockingIOError:
                self._wait(self._from, select.POLLIN, deadline)
                continue
            if not chunk:
                raise self._explain_end()
            content += chunk
        return bytes(content)

    def _wait(self, pipe: int, event: int, deadline: float) -> None:
        poll = select.poll()
        poll.register(pipe, event)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1e3):
            self.end()
            message = f"expected an answer of {self._program.name} within {SECONDS:.0f} s, found none; ask fewer rows at once, or a smaller model"
            raise ModelportError(self._program.reason, message)

    def _explain_end(self) -> Exception:
        code = self._process.wait()
        if code == KILLED:  # as the kernel ends what takes too much memory
            return MemoryError("java was killed")
        message = f"expected an answer of {self._program.name}, found that java ended with {code}; its last lines are in the log"
        return ModelportError(self._program.reason, message)


def _limit_memory() -> list[str]:
    """Return options that keep Java within the memory of its container, or within what this process may address."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return ["-XX:MaxRAMPercentage=60"]
    return [f"-Xmx{limit // 4}", "-XX:CompressedClassSpaceSize=64m", "-XX:ReservedCodeCacheSize=64m"]


def _environment(folder: str) -> dict[str, str]:
    """Return what Java needs of the environment, which may hold secrets, and options for any other Java."""
    found = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "HOME": folder or "/"}
    return found | ({THREADS: os.environ[THREADS]} if THREADS in os.environ else {})


def _end(process: subprocess.Popen[bytes], folder: str) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with suppress(BrokenPipeError):
                pipe.close()
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
