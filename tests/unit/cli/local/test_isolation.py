"""What hostile code of a model's gets under each mechanism that this machine has, and without any."""

import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modelport_cli.errors import CommandError
from modelport_cli.local import landlock
from modelport_cli.local.environments import installation
from modelport_cli.local.isolation import BUBBLEWRAP, LANDLOCK, Isolation, View, choose, find_trouble
from modelport_cli.local.processes import StepProcess, start

PYTHON = Path(sys.executable)
NONE = choose(PYTHON, "none")
SECONDS = 60.0

HOSTILE = """
import json, os, pathlib, signal, socket, sys
home, parent, port, name, bystander = sys.argv[1:]

def attempt(function):
    try:
        function()
        return "done"
    except Exception as error:
        return type(error).__name__

def connect(family, address):
    with socket.socket(family) as connection:
        connection.connect(address)

own = pathlib.Path(os.environ["MODELPORT_WORK"], "ask")
print(json.dumps({
    "read a key": attempt(pathlib.Path(home, ".ssh", "id_rsa").read_text),
    "list the home": attempt(lambda: os.listdir(home)),
    "read the parent's environment": attempt(pathlib.Path("/proc", parent, "environ").read_bytes),
    "write into the home": attempt(lambda: pathlib.Path(home, ".bashrc").write_text("evil")),
    "empty a file": attempt(lambda: os.truncate(pathlib.Path(home, "notes"), 0)),
    "write into another step": attempt(lambda: (own.parent / "stage" / "out").write_text("evil")),
    "connect to a port": attempt(lambda: connect(socket.AF_INET, ("127.0.0.1", int(port)))),
    "connect to an abstract socket": attempt(lambda: connect(socket.AF_UNIX, chr(0) + name)),
    "connect to a socket's file": attempt(lambda: connect(socket.AF_UNIX, os.path.join(home, "agent"))),
    "end a process": attempt(lambda: os.kill(int(bystander), signal.SIGTERM)),
    "signal the parent": attempt(lambda: os.kill(int(parent), 0)),
    "read what it may": attempt((own.parent / "stage" / "given").read_text),
    "write what it may": attempt(lambda: (own / "out").write_text("mine")),
    "use a temporary file": attempt(lambda: __import__("tempfile").NamedTemporaryFile().write(b"x")),
    "use /dev/null": attempt(lambda: open(os.devnull, "w").write("x")),
    "start a program": attempt(lambda: __import__("subprocess").run([sys.executable, "-c", "import ssl"], check=True)),
}))
"""
FREE = {"read what it may", "write what it may", "use a temporary file", "use /dev/null", "start a program"}
OUTSIDE_LANDLOCK = {"connect to a socket's file"}
OUTSIDE_OLD_LANDLOCK = {"connect to an abstract socket", "end a process", "signal the parent"}
"""What is left open, or to the sandbox's filter, which refuses all sockets."""


def available(mechanism: Isolation) -> Isolation:
    trouble = find_trouble(mechanism, PYTHON)
    if trouble:
        pytest.skip(f"{mechanism.name}: {trouble}")
    return mechanism


@pytest.fixture
def victim(tmp_path: Path):
    """A home with a key, sockets that listen, a process: all of one user."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_rsa").write_text("secret")
    (home / "notes").write_text("notes")
    name = f"modelport-test-{os.getpid()}-{time.monotonic_ns()}"
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with (
        socket.create_server(("127.0.0.1", 0)) as port,
        socket.socket(socket.AF_UNIX) as abstract,
        socket.socket(socket.AF_UNIX) as agent,
    ):
        abstract.bind("\0" + name)
        agent.bind(str(home / "agent"))
        abstract.listen()
        agent.listen()
        yield [str(home), str(os.getpid()), str(port.getsockname()[1]), name, str(bystander.pid)]
    bystander.kill()
    bystander.wait()


def process(tmp_path: Path, mechanism: Isolation, code: str, *arguments: str) -> StepProcess:
    job = tmp_path / "work" / "convert"
    given = job / "stage" / "given"
    given.parent.mkdir(parents=True)
    given.write_text("a model")
    plain = StepProcess(
        steps=("ask",),
        command=[sys.executable, "-c", code, *arguments],
        request="{}",
        job=job,
        credentials=tmp_path,
        scratch=tmp_path / "work" / "scratch" / "ask",
        code=tmp_path,
    )
    view = View([*installation(PYTHON), job / "stage"], plain.folders)
    return plain._replace(command=mechanism.wrap(view, plain.command))


def outcomes(tmp_path: Path, mechanism: Isolation, victim: list[str]) -> dict[str, str]:
    hostile = process(tmp_path, mechanism, HOSTILE, *victim)
    with start([hostile]) as (running,):
        assert running.child.wait(timeout=SECONDS) == 0, hostile.log.read_text()
    told: dict[str, str] = json.loads(hostile.log.read_text())
    return told


@pytest.mark.parametrize("mechanism", [BUBBLEWRAP, LANDLOCK], ids=lambda each: each.name)
def test_hostile_code_gets_nothing_and_a_good_step_what_it_needs(tmp_path, mechanism, victim):
    told = outcomes(tmp_path, available(mechanism), victim)
    left = {what for what, outcome in told.items() if outcome == "done"}
    old = landlock.version() < landlock.SCOPES
    outside = OUTSIDE_LANDLOCK | (OUTSIDE_OLD_LANDLOCK if old else set())
    assert left - (outside if mechanism is LANDLOCK else set()) == FREE, told
    assert (tmp_path / "work/convert/ask/out").read_text() == "mine"
    assert (Path(victim[0]) / "notes").read_text() == "notes"


def test_without_isolation_it_gets_everything(tmp_path, victim):
    assert set(outcomes(tmp_path, NONE, victim).values()) == {"done"}
    assert NONE.told == "isolation: none (not wanted); the model's files are opened with your rights"


ENDLESS = """
import fcntl, os, subprocess, sys, time
if len(sys.argv) == 1:
    subprocess.Popen([sys.executable, __file__, "detached"], start_new_session=True)
else:
    fcntl.flock(os.open("lock", os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX)
    open("locked", "w").close()
time.sleep(600)
"""


def test_bubblewrap_ends_what_left_the_session_too(tmp_path):
    available(BUBBLEWRAP)
    endless = process(tmp_path, BUBBLEWRAP, f"open('code', 'w').write({ENDLESS!r}); __file__ = 'code'\n{ENDLESS}")
    with start([endless]):
        while not (endless.scratch / "locked").exists():
            os.sched_yield()
        lock = os.open(endless.scratch / "lock", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(lock, fcntl.LOCK_EX)  # waits until the kernel has ended it
    os.close(lock)


MISSING = Isolation("bubblewrap", lambda _, command: ["/nonexistent/bwrap", *command])
BROKEN = Isolation(
    "Landlock", lambda _, __: [sys.executable, "-c", "import sys; sys.exit('one line\\nno permission to do this')"]
)
WORKING = Isolation("other", lambda _, command: command)
WHY = "bubblewrap: not installed; Landlock: no permission to do this"


def test_the_first_that_works_is_taken():
    assert choose(PYTHON, mechanisms=(MISSING, BROKEN, WORKING)).told == "isolation: other"
    assert choose(PYTHON, "required", mechanisms=(WORKING, MISSING)).told == "isolation: other"


def test_none_is_said_with_its_reasons():
    chosen = choose(PYTHON, mechanisms=(MISSING, BROKEN))
    assert chosen.told == f"isolation: none ({WHY}); the model's files are opened with your rights"
    assert chosen.wrap(View(), ["a", "command"]) == ["a", "command"]


def test_none_is_an_error_where_it_is_required():
    with pytest.raises(CommandError, match="expected a way to isolate") as caught:
        choose(PYTHON, "required", mechanisms=(MISSING, BROKEN))
    assert WHY in caught.value.message
    assert "bubblewrap" in caught.value.hint


def test_an_old_landlock_is_refused(tmp_path):
    program = (
        "import sys; sys.argv[0:0] = ['']; import landlock; landlock.version = lambda: 1; "
        "landlock.hold(reads=[], writes=[], network=False)"
    )
    folder = str(Path(landlock.__file__).parent)
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env={"PYTHONPATH": folder}
    )
    assert "expected version 3 (Linux 6.2) or newer, found 1" in ended.stderr


def test_a_server_is_reached_and_reads_its_artifact_alone(tmp_path):
    artifact, other = tmp_path / "artifact", tmp_path / "other"
    artifact.write_text("a model")
    other.write_text("secret")
    code = (
        "import socket, sys; print(open(sys.argv[1]).read()); socket.create_server(('127.0.0.1', 0)); "
        "print('listens'); open(sys.argv[2])"
    )
    view = View([*installation(PYTHON), artifact], network=True)
    command = available(LANDLOCK).wrap(view, [sys.executable, "-c", code, str(artifact), str(other)])
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.stdout == "a model\nlistens\n"
    assert "PermissionError" in ended.stderr
