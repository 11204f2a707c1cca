"""A program of Java over pipes, however it ends: a small one that answers with what it is told to do."""

import os
import subprocess
import sys
import time

import pytest

from modelport.api.reasons import Reason
from modelport.asking.java import Process, Program, RefusedError
from modelport.errors import ModelportError

pytestmark = pytest.mark.converters

ECHO = """
import java.io.*;
import java.nio.*;

public class Echo {
    public static void main(String[] arguments) throws Exception {
        PrintStream out = System.out;
        send(out, arguments[0].equals("refuse") ? 1 : 0, new byte[0]);
        while (true) {
            byte[] question = new byte[System.in.read()];
            System.in.readNBytes(question, 0, question.length);
            String told = new String(question);
            if (told.equals("end")) {
                System.exit(3);
            }
            send(out, told.equals("refuse") ? 1 : told.equals("memory") ? 2 : 0, question);
        }
    }

    private static void send(PrintStream out, int status, byte[] content) throws Exception {
        out.write(ByteBuffer.allocate(9).order(ByteOrder.LITTLE_ENDIAN).put((byte) status).putLong(content.length).array());
        out.write(content);
        out.flush();
    }
}
"""


@pytest.fixture
def program(tmp_path):
    (tmp_path / "Echo.java").write_text(ECHO)
    return Program(tmp_path / "Echo.java", "the echo", Reason.CONVERSION_FAILED, has_folder=True)


def ask(process, text):
    return process.ask(bytes([len(text)]) + text.encode())


def test_it_answers_refuses_and_ends(program, monkeypatch):
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx1k")  # of another Java's
    process = Process(program, ["answer"])
    assert (process.first, ask(process, "hello")) == (b"", b"hello")
    with pytest.raises(RefusedError, match="refuse"):
        ask(process, "refuse")
    assert ask(process, "again") == b"again"
    with pytest.raises(ModelportError, match="expected an answer of the echo, found that java ended with 3"):
        ask(process, "end")
    with pytest.raises(ModelportError, match="java ended with 3"):
        ask(process, "after the end")
    process.end()


def test_no_memory_is_told_as_such(program):
    with pytest.raises(MemoryError, match="the echo: memory"):
        ask(Process(program, ["answer"]), "memory")
    with pytest.raises(ModelportError, match="the echo refuses the model"):
        Process(program, ["refuse"])


def test_a_crash_is_no_answer(program, tmp_path, monkeypatch):
    """The virtual machine's own words go to the log, not between answers, and no file is left."""
    monkeypatch.chdir(tmp_path)
    process = Process(program._replace(has_folder=False), ["answer"])
    os.kill(process.number, 11)
    while process.is_alive:  # until it has told all that it knows, its other threads go on
        time.sleep(0.05)
    with pytest.raises(ModelportError, match="java ended with -6"):
        ask(process, "hello")
    assert [path.name for path in tmp_path.iterdir()] == ["Echo.java"]


LIMITED = """
import resource, sys
from pathlib import Path
from modelport.api.reasons import Reason
from modelport.asking.java import Process, Program
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
process = Process(Program(Path(sys.argv[1]), "the echo", Reason.CONVERSION_FAILED), ["answer"])
print(process.ask(b"\\x05hello").decode())
"""


def test_it_starts_within_what_its_parent_may_address(program):
    command = [sys.executable, "-c", LIMITED, str(program.path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "hello\n"), ended.stderr[-1000:]


def test_without_java_its_package_is_named(program, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ModelportError, match="found none; install a Java runtime") as caught:
        Process(program, ["answer"])
    assert caught.value.reason is Reason.RUNTIME_UNSUPPORTED
