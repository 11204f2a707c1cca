"""The runner: steps are real processes here, which wait for each other through files."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from builders import output_status
from modelport.api.reasons import Reason
from modelport.api.status import Signature, Tensor
from modelport.errors import ModelportError
from modelport.jobs.requests import ImportRequest
from modelport.jobs.results import SourceFacts, StepFailure, StepResult, VerificationFacts
from modelport.steps.runner import checked, fit

SCRIPT = """
import os, sys, time
from modelport.errors import ModelportError
from modelport.jobs.results import StepResult
from modelport.api.reasons import Reason
from modelport.steps.runner import Step, main

names, waits_for, what = sys.argv[1].split(), sys.argv[2] or None, sys.argv[3]

def work(context):
    name = context.name
    if what == "deny the second" and name == names[1]:
        raise ModelportError(Reason.INPUTS_NEEDED, "expected c, found d")
    if what == "die in the second" and name == names[1]:
        os._exit(1)
    if what == "hang":
        print("working", flush=True)
        time.sleep(60)
    if what == "deny":
        raise ModelportError(Reason.DIGEST_MISMATCH, "expected a, found b")
    if what == "retry":
        raise ModelportError(Reason.STORE_UNAVAILABLE, "no answer")
    if what == "crash":
        raise ValueError("unforeseen")
    if what == "memory":
        raise MemoryError
    (context.out / "made").write_text(name)
    if waits_for and name == names[0]:
        assert (context.out_of(waits_for) / "made").read_text() == waits_for
        assert context.result_of(waits_for).step == waits_for
    return StepResult(step=name)

main(*(Step(name, work, before) for before, name in zip([waits_for, *names], names)))
"""


class Pod:
    """Steps with a common folder."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.message = work / "termination-log"
        self.message.touch()

    def start(self, name: str, waits_for: str = "", what: str = "work") -> subprocess.Popen[str]:
        request = msgspec.json.encode(ImportRequest(locations={})).decode()
        environment = {
            **os.environ,
            "MODELPORT_REQUEST": request,
            "MODELPORT_WORK": str(self.work),
            "MODELPORT_TERMINATION_LOG": str(self.message),
        }
        command = [sys.executable, "-c", SCRIPT, name, waits_for, what]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def end(self, process: subprocess.Popen[str]) -> int:
        process.communicate(timeout=30)
        return process.returncode


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


def test_a_later_step_waits_for_the_earlier_one(pod: Pod) -> None:
    later = pod.start("second", "first")
    assert later.poll() is None
    first = pod.start("first")
    assert (pod.end(first), pod.end(later)) == (0, 0)


@pytest.mark.parametrize(
    ("steps", "later", "awaited"),
    [("first", "second", "first"), ("ask hop-1", "try", "hop-1")],
    ids=["alone", "in the first step of its container"],
)
def test_a_step_whose_predecessor_was_killed_is_skipped(pod: Pod, steps: str, later: str, awaited: str) -> None:
    killed = pod.start(steps, what="hang")
    assert killed.stdout
    assert killed.stdout.readline() == "working\n"
    skipped = pod.start(later, awaited)
    killed.send_signal(signal.SIGKILL)
    pod.end(killed)
    assert pod.end(skipped) == 69


@pytest.mark.parametrize(
    ("what", "status", "reason"),
    [
        ("deny", 64, Reason.DIGEST_MISMATCH),
        ("retry", 75, Reason.STORE_UNAVAILABLE),
        ("crash", 75, Reason.CONVERTER_CRASHED),
        ("memory", 64, Reason.OUT_OF_MEMORY),
    ],
)
def test_a_failure_is_told_and_skips_what_follows(pod: Pod, what: str, status: int, reason: Reason) -> None:
    assert pod.end(pod.start("first", what=what)) == status
    assert json.loads(pod.message.read_text())["failure"]["reason"] == reason
    assert pod.end(pod.start("second", "first")) == 69


def test_steps_that_share_a_container_run_one_after_the_other(pod: Pod) -> None:
    later = pod.start("try", "hop-1")
    assert (pod.end(pod.start("ask hop-1")), pod.end(later)) == (0, 0)
    assert [(pod.work / name / "out/made").read_text() for name in ("ask", "hop-1", "try")] == ["ask", "hop-1", "try"]
    assert json.loads((pod.work / "hop-1/result.json").read_text()) == {"step": "hop-1"}


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("deny", {"step": "ask", "reason": "DigestMismatch"}),
        ("deny the second", {"step": "hop-1", "reason": "InputsNeeded"}),
    ],
)
def test_the_step_that_failed_is_told_and_those_after_it_are_skipped(pod: Pod, what: str, told: dict[str, str]) -> None:
    assert pod.end(pod.start("ask hop-1 hop-2", what=what)) == 64
    message = json.loads(pod.message.read_text())
    assert {"step": message["step"], "reason": message["failure"]["reason"]} == told
    assert not (pod.work / "hop-2/result.json").exists()
    assert pod.end(pod.start("try", "hop-2")) == 69


def test_what_a_step_before_reports_is_no_message_of_a_container_that_died(pod: Pod) -> None:
    assert pod.end(pod.start("ask hop-1", what="die in the second")) == 1
    assert json.loads((pod.work / "ask/result.json").read_text()) == {"step": "ask"}
    assert pod.message.read_text() == ""


def test_an_unreadable_result_skips(pod: Pod) -> None:
    (pod.work / "first").mkdir()
    (pod.work / "first/result.json").write_text("[")
    assert pod.end(pod.start("second", "first")) == 69


def test_a_result_that_is_a_link_skips(pod: Pod) -> None:
    (pod.work / "elsewhere").write_text('{"step": "first"}')
    (pod.work / "first").mkdir()
    (pod.work / "first/result.json").symlink_to(pod.work / "elsewhere")
    assert pod.end(pod.start("second", "first")) == 69


def test_what_does_not_fit_into_the_message_is_left_out() -> None:
    tensors = [Tensor(name=f"input-{number}", dtype="float32", shape=["batch", 3]) for number in range(64)]
    facts = SourceFacts(
        digests={"source": "sha256:" + "a" * 64}, format="onnx", size_bytes=1, signature=Signature(inputs=tensors)
    )
    encoded = fit(StepResult(step="keep", source=facts))
    assert len(encoded) <= 1024
    assert msgspec.json.decode(encoded, type=StepResult).source.signature is None


def test_the_worst_outputs_stay_in_the_message() -> None:
    outputs = [output_status(name=f"o{number}") for number in range(64)]
    facts = VerificationFacts(samples=8, outputs=outputs, max_absolute_error="1e-7")
    decoded = msgspec.json.decode(fit(StepResult(step="judge", verification=facts)), type=StepResult).verification
    assert decoded.truncated
    assert decoded.outputs == outputs[: len(decoded.outputs)] != []


def test_a_long_failure_is_cut() -> None:
    failure = StepFailure(reason=Reason.FACTORY_FAILED, message="é" * 500)
    assert len(fit(StepResult(step="hop-1", failure=failure))) <= 1024


LONG = "n" * 129


def test_a_signature_that_no_status_has_room_for_is_left_out() -> None:
    signature = Signature(inputs=[Tensor(name=LONG, dtype="float32", shape=[1])])
    facts = SourceFacts(digests={}, format="onnx", size_bytes=1, signature=signature)
    kept = checked(StepResult(step="keep", source=facts)).source
    assert kept is not None
    assert (kept.format, kept.signature) == ("onnx", None)


def test_a_result_that_no_status_has_room_for_is_refused_with_its_place() -> None:
    facts = VerificationFacts(samples=8, outputs=[output_status(name=LONG)], max_absolute_error="0")
    with pytest.raises(ModelportError, match="length <= 128") as caught:
        checked(StepResult(step="judge", verification=facts))
    assert caught.value.reason is Reason.CONVERSION_FAILED
    assert "$.verification.outputs[0].name" in caught.value.message
