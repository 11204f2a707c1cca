"""Steps as real processes: results, crashes, deadlines, and what they get to see."""

import os
import sys
import time
from pathlib import Path

import msgspec
import pytest

from modelport.api.reasons import Reason
from modelport.jobs.results import SourceFacts, StepFailure, StepResult
from modelport_cli.local.processes import StepError, StepProcess, start, step_environment

SOON = 60.0


@pytest.fixture
def step(tmp_path):
    def make(code, **changes):
        fields = {
            "steps": ("keep",),
            "command": [sys.executable, "-c", "import os, pathlib, signal, sys\n" + code],
            "request": "{}",
            "job": tmp_path / "job",
            "credentials": tmp_path,
            "scratch": tmp_path,
            "code": tmp_path,
        }
        return StepProcess(**(fields | changes))

    return make


def writing(result, then=""):
    data = msgspec.json.encode(result).decode()
    return f"pathlib.Path(os.environ['MODELPORT_WORK'], 'keep', 'result.json').write_text({data!r})\n{then}"


def run(process, seconds=SOON):
    with start([process]) as (running,):
        return running.wait(deadline=time.monotonic() + seconds)


def failure(process, seconds=SOON):
    with pytest.raises(StepError) as caught:
        run(process, seconds)
    return caught.value


def test_a_result_is_read(step):
    facts = SourceFacts(digests={"source": "sha256:0"}, format="onnx", size_bytes=1)
    assert run(step(writing(StepResult(step="keep", source=facts)))).source == facts


def test_the_first_step_of_a_container_that_fails_tells(step):
    told = StepResult(step="ask", failure=StepFailure(reason=Reason.INPUTS_NEEDED, message="expected this"))
    code = writing(told, "sys.exit(64)").replace("'keep'", "'ask'")
    error = failure(step(code, steps=("ask", "hop-1")))
    assert (error.reason, error.message) == (Reason.INPUTS_NEEDED, "expected this")


def test_a_step_that_dies_after_one_that_is_done_is_the_one_that_crashed(step):
    code = writing(StepResult(step="ask"), "os.kill(os.getpid(), signal.SIGKILL)").replace("'keep'", "'ask'")
    assert "step hop-1 was ended by SIGKILL" in failure(step(code, steps=("ask", "hop-1"))).message


def test_all_start_at_once_and_none_is_left(step, tmp_path):
    waits = (
        "import time\npid = pathlib.Path(sys.argv[1])\npid.write_text(str(os.getpid()))\n"
        "while not all(pathlib.Path(name).exists() for name in ('0', '1')): time.sleep(0.01)\n"
    )
    result = msgspec.json.encode(StepResult(step="keep")).decode()
    first = step(waits + f"pathlib.Path(os.environ['MODELPORT_WORK'], 'first', 'result.json').write_text({result!r})")
    second = step(waits + "time.sleep(600)")
    processes = [
        each._replace(steps=(name,), command=[*each.command, str(number)])
        for number, (name, each) in enumerate((("first", first), ("second", second)))
    ]
    with start(processes) as running:
        assert running[0].wait(deadline=time.monotonic() + SOON).step == "keep"
        assert running[1].child.poll() is None
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "1").read_text()), 0)


def test_a_reported_failure_comes_with_the_end_of_the_log(step):
    reported = StepResult(step="keep", failure=StepFailure(reason=Reason.SOURCE_CORRUPT, message="expected a, found b"))
    error = failure(step(writing(reported, "print('first'); print('last'); sys.exit(64)")))
    assert (error.reason, error.message, error.log_tail) == (
        Reason.SOURCE_CORRUPT,
        "expected a, found b",
        "first\nlast",
    )


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("sys.exit(3)", "exit status 3"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "memory"),
        ("sys.exit(128 + signal.SIGKILL)", "memory"),  # as bubblewrap tells it
        ("pathlib.Path(os.environ['MODELPORT_WORK'], 'keep', 'result.json').write_text('{\"step\": 7}')", "contract"),
    ],
)
def test_a_crash_says_how(step, code, words):
    error = failure(step(code))
    assert error.reason is Reason.STEP_CRASHED
    assert words in error.message


def test_a_step_that_dies_after_its_result_is_no_success(step):
    assert failure(step(writing(StepResult(step="keep"), "sys.exit(1)"))).reason is Reason.STEP_CRASHED


def test_the_deadline_ends_the_step_and_what_it_started(step, tmp_path):
    code = (
        "import subprocess, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "pathlib.Path('child').write_text(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    error = failure(step(code), seconds=2)
    assert error.reason is Reason.DEADLINE_EXCEEDED
    assert "timeoutSeconds" in error.message
    state = Path("/proc", (tmp_path / "child").read_text(), "stat")
    while state.exists() and ") Z " not in state.read_text():  # the kernel is still ending it
        os.sched_yield()


def test_a_step_sees_nothing_of_the_users_environment(step, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    closed = step_environment(step(""))
    assert not {"AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY"} & closed.keys()
    assert step_environment(step("", network=True))["HTTPS_PROXY"] == "http://proxy.example"


def test_the_log_tail_is_short_and_printable(step):
    error = failure(step("print('x' * 3000); print('\\x1b[31mred\\x07'); sys.exit(1)"))
    assert error.log_tail == "[31mred"
    error = failure(step("print('é' * 3000); sys.exit(1)"))
    assert 0 < len(error.log_tail.encode()) <= 2048


@pytest.mark.parametrize("left", ["'[' * 1_100_000", '\'{"step":"keep","x":\' + \'[\' * 100_000', "'no result'"])
def test_a_result_that_foreign_code_wrote_is_a_crash_and_no_more(step, left):
    code = f"pathlib.Path(os.environ['MODELPORT_WORK'], 'keep', 'result.json').write_text({left})"
    assert failure(step(code)).reason == Reason.STEP_CRASHED


@pytest.mark.parametrize("make", ["os.mkfifo(path)", "path.symlink_to('/dev/zero')", "path.mkdir()"])
def test_a_result_that_is_no_file_is_a_crash_and_no_more(step, make):
    code = f"path = pathlib.Path(os.environ['MODELPORT_WORK'], 'keep', 'result.json')\n{make}"
    assert failure(step(code)).reason == Reason.STEP_CRASHED
