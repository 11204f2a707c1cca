"""How steps wait for each other, end and report: real processes, ordered by nothing but files."""

import errno
import fcntl
import os
import signal
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import output_status
from modelport.api.reasons import ADVICE, Reason
from modelport.api.status import Signature, Tensor
from modelport.errors import ModelportError
from modelport.jobs.environment import MAX_EVIDENCE_BYTES, MAX_RESULT_BYTES, ExitStatus
from modelport.jobs.requests import ImportRequest
from modelport.jobs.results import SourceFacts, StepFailure, StepResult, VerificationFacts
from modelport.steps.runner import fit

SCRIPT = """
import errno, os, signal, socket, sys
from modelport.errors import ModelportError
from modelport.jobs.results import StepResult
from modelport.api.reasons import Reason
from modelport.steps.runner import Step, main, say
name, waits_for, work = sys.argv[1], sys.argv[2] or None, sys.argv[3]
def function(context):
    {body}
    return StepResult(step=context.name)
main(Step(name, function, waits_for, sandboxed={sandboxed}, prepare=lambda request: print("ready", flush=True)))
"""


@pytest.fixture
def start(tmp_path):
    """Start a step whose function has this body; all are ended with the test."""
    processes = []

    def starting(name, waits_for="", *, body="pass", sandboxed=False, **variables):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT.format(body=body, sandboxed=sandboxed), name, waits_for, str(tmp_path)],
            env=os.environ
            | {
                "PYTHONPATH": os.pathsep.join(sys.path),
                "MODELPORT_REQUEST": msgspec.json.encode(ImportRequest(locations={})).decode(),
                "MODELPORT_WORK": str(tmp_path),
                "MODELPORT_TERMINATION_LOG": str(tmp_path / f"{name}.message"),
            }
            | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield starting
    for process in processes:
        process.kill()
        process.communicate()


def end(process):
    """Wait for a step's end; return its exit status and log."""
    _, log = process.communicate(timeout=60)
    return process.returncode, log


def result_of(work, step):
    path = work / step / "result.json"
    return msgspec.json.decode(path.read_bytes(), type=StepResult) if path.exists() else None


def test_a_step_alone_leaves_its_result(start, tmp_path):
    assert end(start("fetch"))[0] == ExitStatus.DONE
    assert result_of(tmp_path, "fetch") == StepResult(step="fetch")
    assert (tmp_path / "fetch" / "out").is_dir()
    assert {path.name for path in (tmp_path / "fetch").iterdir()} == {"lock", "out", "result.json"}


def test_steps_work_in_their_order_however_they_start(start, tmp_path):
    body = f"open('{tmp_path}/order', 'a').write(context.name + ' ')"
    last, middle = start("keep", "inspect", body=body), start("inspect", "fetch", body=body)
    assert last.stdout.readline() == middle.stdout.readline() == "ready\n"
    first = start("fetch", body=body)
    assert [end(process)[0] for process in (first, middle, last)] == [ExitStatus.DONE] * 3
    assert (tmp_path / "order").read_text() == "fetch inspect keep "


def test_a_step_waits_as_long_as_its_predecessor_lives(start, tmp_path):
    first = start("fetch", body="sys.stdin.readline()")
    second = start(
        "inspect", "fetch", body="say('inspect', 'found ' + str(os.path.exists(work + '/fetch/result.json')))"
    )
    assert first.stdout.readline() == second.stdout.readline() == "ready\n"
    assert second.poll() is None
    first.stdin.write("go on\n")
    first.stdin.flush()
    assert end(first)[0] == ExitStatus.DONE
    status, log = end(second)
    assert (status, "found True" in log) == (ExitStatus.DONE, True)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_step_whose_predecessor_was_killed_is_skipped_and_so_are_all_after_it(start, tmp_path, number):
    first = start("fetch", body="sys.stdin.readline()")
    second, third = start("inspect", "fetch"), start("keep", "inspect")
    for process in (first, second, third):
        assert process.stdout.readline() == "ready\n"
    first.send_signal(number)
    for process, told in ((second, "fetch ended without a result"), (third, "inspect ended without a result")):
        status, log = end(process)
        assert status == ExitStatus.SKIPPED
        assert told in log
    assert result_of(tmp_path, "inspect") is None
    assert not (tmp_path / "inspect.message").exists()


@pytest.mark.parametrize("reason", list(Reason))
def test_advice_decides_the_exit_status(reason, tmp_path, monkeypatch):
    from modelport.steps import runner as steps

    monkeypatch.setattr(steps, "_end_on_sigterm", lambda: None)
    for name, value in (
        ("REQUEST", '{"job":"import","locations":{}}'),
        ("WORK", tmp_path),
        ("TERMINATION_LOG", "/none"),
    ):
        monkeypatch.setenv(f"MODELPORT_{name}", str(value))

    def function(_):
        raise ModelportError(reason, "told")

    status = steps.run(steps.Step("fetch", function))
    again = ADVICE[reason].retryable or reason == Reason.CONVERTER_CRASHED  # the Job counts how often
    assert status == (ExitStatus.RETRY if again else ExitStatus.INVALID)
    assert result_of(tmp_path, "fetch").failure == StepFailure(reason=reason, message="told")


@pytest.mark.parametrize(
    ("body", "reason", "told"),
    [
        ("raise MemoryError", Reason.OUT_OF_MEMORY, "memory"),
        ("raise RuntimeError('Failed to allocate memory for requested buffer')", Reason.OUT_OF_MEMORY, "memory"),
        (
            "raise ModelportError(Reason.FACTORY_FAILED, 'factory net:build') from MemoryError()",
            *(Reason.OUT_OF_MEMORY, "memory"),
        ),
        (f"raise OSError({errno.ENOSPC}, 'no space')", Reason.STORAGE_EXCEEDED, "room"),
        (f"raise OSError({errno.EDQUOT}, 'quota')", Reason.STORAGE_EXCEEDED, "room"),
        ("raise KeyError('weights')", Reason.STEP_CRASHED, "KeyError: 'weights'"),
        ("sys.exit(0)", Reason.STEP_CRASHED, "SystemExit"),
        ("def deep(): deep()\n    deep()", Reason.STEP_CRASHED, "RecursionError"),
    ],
)
def test_errors_of_all_kinds_become_reasons(start, tmp_path, body, reason, told):
    status, log = end(start("fetch", body=body))
    failure = result_of(tmp_path, "fetch").failure
    assert (failure.reason, told in failure.message) == (reason, True)
    again = ADVICE[reason].retryable or reason == Reason.CONVERTER_CRASHED  # the Job counts how often
    assert status == (ExitStatus.RETRY if again else ExitStatus.INVALID)
    assert ("Traceback" in log) == (reason == Reason.STEP_CRASHED)


@pytest.mark.parametrize("request_text", ["", "{", '{"job":"unknown"}', '{"job":"import"}'])
def test_a_request_of_another_version_is_told(start, tmp_path, request_text):
    assert end(start("fetch", MODELPORT_REQUEST=request_text))[0] == ExitStatus.RETRY
    assert "MODELPORT_REQUEST" in result_of(tmp_path, "fetch").failure.message


def test_a_sandboxed_step_has_no_network_and_one_that_moves_bytes_has(start, tmp_path):
    assert end(start("fetch", body="socket.socket()"))[0] == ExitStatus.DONE
    assert end(start("inspect", "fetch", body="socket.socket()", sandboxed=True))[0] == ExitStatus.RETRY
    assert "PermissionError" in result_of(tmp_path, "inspect").failure.message


def test_foreign_code_cannot_put_off_sigterm(start):
    body = "try: say(name, 'in'); sys.stdin.readline()\n    except BaseException: sys.stdin.readline()"
    process = start("hop-1", body=body)
    while "in" not in process.stderr.readline().split():
        pass
    process.terminate()
    assert process.wait(timeout=60) == 128 + signal.SIGTERM


@pytest.mark.parametrize("planted", ["link", "garbage", "deep", "folder"])
def test_a_result_that_a_hostile_step_planted_stops_the_next(start, tmp_path, planted):
    own = tmp_path / "hop-1"
    own.mkdir()
    (tmp_path / "elsewhere.json").write_text('{"step":"hop-1"}')
    path = own / "result.json"
    if planted == "link":
        path.symlink_to(tmp_path / "elsewhere.json")
    elif planted in {"garbage", "deep"}:
        path.write_bytes(b'{"step":"hop-1","x":' + b"[" * 100_000 if planted == "deep" else b"garbage")
    else:
        path.mkdir()
    assert end(start("try", "hop-1"))[0] == ExitStatus.SKIPPED


def test_a_lock_that_appears_before_the_result_is_no_death(start, tmp_path):
    own = tmp_path / "fetch"
    own.mkdir()
    with (own / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = start("inspect", "fetch")
        assert second.stdout.readline() == "ready\n"
        assert second.poll() is None
        (own / "new").write_text('{"step":"fetch"}')
        (own / "new").rename(own / "result.json")
        assert end(second)[0] == ExitStatus.DONE


def test_the_result_of_an_earlier_run_is_not_taken_for_this_ones(start, tmp_path):
    assert end(start("fetch"))[0] == ExitStatus.DONE
    first = start("fetch", body="sys.stdin.readline()")
    assert first.stdout.readline() == "ready\n"
    assert result_of(tmp_path, "fetch") is None


# --- the termination message ----------------------------------------------------------------------------------------


def tensors(count):
    return [
        Tensor(name=f"output number {index}", dtype="float32", shape=["batch", 3, 224, 224]) for index in range(count)
    ]


def outputs(count):
    return [
        output_status(name=f"output number {index}", relative_rms="1.234e-07", max_absolute_error="1.234e-06")
        for index in range(count)
    ]


def test_what_fits_is_told_whole():
    facts = SourceFacts(
        digests={"source": "sha256:1"}, format="onnx", size_bytes=1, signature=Signature(inputs=tensors(1))
    )
    result = StepResult(step="keep", source=facts)
    assert msgspec.json.decode(fit(result), type=StepResult) == result


@settings(deadline=None)  # time is of the machine
@given(
    st.text(max_size=500),
    st.integers(0, 64),
    st.integers(0, 64),
    st.lists(st.text(max_size=256), max_size=8),
    st.text(max_size=256),
)
def test_every_message_fits_and_can_be_read(text, inputs, compared, caveats, edges):
    result = StepResult(
        step="hop-1",
        failure=StepFailure(reason=Reason.CONVERSION_FAILED, message=text),
        source=SourceFacts(
            digests={"source": "d"}, format="f", size_bytes=1, signature=Signature(inputs=tensors(inputs))
        ),
    )
    message = fit(result)
    assert len(message) <= MAX_RESULT_BYTES
    assert msgspec.json.decode(message, type=StepResult).failure.reason == Reason.CONVERSION_FAILED
    facts = VerificationFacts(
        samples=8, outputs=outputs(compared), max_absolute_error="0", caveats=caveats, edges=edges
    )
    message = fit(StepResult(step="judge", verification=facts))
    assert len(message) <= MAX_EVIDENCE_BYTES
    told = msgspec.json.decode(message, type=StepResult).verification
    assert (told == facts) == (not told.truncated)
    assert told.outputs == facts.outputs[: len(told.outputs)]
    assert told.outputs or not compared


def test_a_single_output_leaves_no_room_for_everything_else():
    name = "\N{SNOWMAN}" * 128  # 3 bytes each
    (output,) = outputs(1)
    output = msgspec.structs.replace(output, name=name, worst=name[:64], metrics=dict.fromkeys("abcd", "0.5" * 8))
    facts = VerificationFacts(
        samples=8,
        outputs=[output] * 3,
        max_absolute_error="0",
        reference="sha256:" + "0" * 64,
        caveats=[name * 2] * 8,
        edges=name * 2,
    )
    told = msgspec.json.decode(fit(StepResult(step="judge", verification=facts)), type=StepResult).verification
    assert (told.outputs, told.truncated, told.reference) == ([output], True, facts.reference)
    assert told.caveats
    assert told.edges
