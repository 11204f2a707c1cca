"""The judgement, by tables: what passes, what fails, what proves nothing."""

import subprocess
import sys

import pytest

from modelport.api import OutputStatus, Tolerance, Verification
from modelport.reasons import Reason
from modelport.verification.judge import judge

GOOD = OutputStatus(name="scores", relative_rms="4e-07", max_absolute_error="3e-07", noise_floor="3e-07", spread="0.5")
LABELS = OutputStatus(
    name="labels", relative_rms="0", max_absolute_error="0", noise_floor="0", spread="0.8", agreement="1"
)


def changed(output: OutputStatus, **fields) -> OutputStatus:
    values = {name: getattr(output, name) for name in output.__struct_fields__}
    return OutputStatus(**{**values, **fields})


def relative(limit: float) -> Verification:
    return Verification(outputs={"scores": Tolerance(relative=limit)})


def absolute(limit: float) -> Verification:
    return Verification(tolerance=Tolerance(absolute=limit))


@pytest.mark.parametrize(
    ("outputs", "verification"),
    [
        ([GOOD], Verification()),
        ([GOOD, LABELS], Verification()),
        ([changed(GOOD, relative_rms="5e-06", noise_floor="0")], Verification()),
        ([changed(GOOD, relative_rms="1.9e-05", noise_floor="1e-06")], Verification()),
        ([changed(GOOD, relative_rms="0.01", spread="1")], relative(0.02)),
        ([changed(GOOD, relative_rms="0.01", max_absolute_error="0.09")], absolute(0.1)),
        ([changed(GOOD, noise_floor="0.002", relative_rms="0.01", spread="1")], relative(0.02)),
        ([changed(GOOD, max_absolute_error="1000")], Verification()),
        ([changed(LABELS, agreement="0.99", max_absolute_error="1")], absolute(1)),
        ([GOOD], Verification(outputs={"scores": Tolerance()})),
    ],
)
def test_passes(outputs, verification):
    assert judge(outputs, verification) is None


@pytest.mark.parametrize(
    ("outputs", "verification", "reason", "words"),
    [
        ([changed(GOOD, relative_rms="5.01e-06", noise_floor="0")], Verification(), "VerificationFailed", "5e-06"),
        ([changed(GOOD, relative_rms="2.1e-05", noise_floor="1e-06")], Verification(), "VerificationFailed", "2e-05"),
        ([changed(GOOD, relative_rms="inf", spread="0")], Verification(), "VerificationFailed", "inf"),
        ([changed(GOOD, non_finite=3)], Verification(), "VerificationFailed", "3 elements"),
        ([changed(GOOD, non_finite=3)], relative(1), "VerificationFailed", "3 elements"),
        ([GOOD], relative(1e-7), "VerificationFailed", "limit 1e-07"),
        ([GOOD], absolute(1e-7), "VerificationFailed", "largest absolute error 3e-07"),
        ([changed(LABELS, agreement="0.999999")], Verification(), "VerificationFailed", "0.999999"),
        ([changed(GOOD, noise_floor="0.0011")], Verification(), "NumericallyUnstable", "0.0011"),
        ([changed(GOOD, noise_floor="inf")], Verification(), "NumericallyUnstable", "inf"),
        ([changed(GOOD, spread="0.00049")], Verification(), "VerificationInconclusive", "0.00049"),
        ([changed(GOOD, spread="0.01", noise_floor="1e-05")], Verification(), "VerificationInconclusive", "0.02"),
        ([changed(GOOD, spread="0", relative_rms="0")], Verification(), "VerificationInconclusive", "same for all"),
        ([changed(GOOD, spread="0", relative_rms="0")], absolute(1), "VerificationInconclusive", "same for all"),
        ([changed(GOOD, spread="0.05")], relative(0.05), "VerificationInconclusive", "needed: 0.1"),
        ([changed(LABELS, spread="0")], Verification(), "VerificationInconclusive", "same for all"),
        (
            [changed(GOOD, relative_rms="nan", spread="nan", noise_floor="nan")],
            Verification(),
            "VerificationInconclusive",
            "no finite element",
        ),
        (
            [changed(GOOD, relative_rms="?", spread="?")],
            Verification(),
            "VerificationInconclusive",
            "no finite element",
        ),
        ([], Verification(), "VerificationInconclusive", "at least one output"),
    ],
)
def test_does_not_pass(outputs, verification, reason, words):
    finding = judge(outputs, verification)
    assert finding is not None
    assert finding.reason == Reason(reason)
    assert words in finding.message


def test_a_misnamed_output_gets_the_nearest_name():
    finding = judge([GOOD, LABELS], Verification(outputs={"score": Tolerance(relative=0.1)}))
    assert finding is not None
    assert finding.reason == Reason.INVALID_SPEC
    assert finding.message == "spec.verification.outputs.score: no such output; did you mean scores?"


def test_a_wrong_answer_outweighs_one_that_proves_nothing():
    dead = changed(GOOD, name="dead", relative_rms="0", spread="0")
    wrong = changed(GOOD, relative_rms="0.1")
    finding = judge([dead, wrong], Verification())
    assert finding is not None
    assert finding.reason == Reason.VERIFICATION_FAILED


def test_the_tolerance_of_an_output_replaces_that_of_all():
    verification = Verification(tolerance=Tolerance(absolute=1e-9), outputs={"scores": Tolerance(relative=0.1)})
    assert judge([GOOD], verification) is None


def test_the_message_says_how_to_repeat_and_fits():
    finding = judge([changed(GOOD, name="x" * 128, relative_rms="0.1")], Verification())
    assert finding is not None
    assert "modelport run" in finding.message
    assert len(finding.message) < 600


def test_the_operator_needs_no_numpy():
    code = "import sys, modelport.verification.judge; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
