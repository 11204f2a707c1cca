"""The judgement, by tables: what passes, what fails, what proves nothing."""

import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import pytest

from builders import output_status
from modelport.api.reasons import Reason
from modelport.api.spec import Tolerance, Verification
from modelport.api.status import OutputStatus
from modelport.errors import ModelportError
from modelport.verification.verdict.judgement import is_complete, judge

GOOD = output_status(relative_rms="4e-07", max_absolute_error="3e-07", excess="0.08", limit="6e-06", spread="0.5")
EXACT = output_status(relative_rms="0", max_absolute_error="0", excess="0", limit="0", noise_floor="0")
LABELS = msgspec.structs.replace(EXACT, name="labels", comparison="Labels", spread="0.8", agreement="1")
CONSTANT = msgspec.structs.replace(EXACT, name="anchors", comparison="Constant", limit="5e-06", spread="0")


class Facts(NamedTuple):
    outputs: Sequence[OutputStatus]
    edges: str = ""


def judged(outputs: Sequence[OutputStatus], verification: Verification, edges: str = "") -> ModelportError | None:
    return judge(Facts(outputs, edges), verification)


def changed(output: OutputStatus, **fields) -> OutputStatus:
    return msgspec.structs.replace(output, **fields)


def own(name: str = "scores", **tolerance) -> Verification:
    return Verification(outputs={name: Tolerance(**tolerance)})


def all_of(**tolerance) -> Verification:
    return Verification(tolerance=Tolerance(**tolerance))


NONE = Verification()
WRONG = changed(GOOD, excess="2000", relative_rms="0.01", max_absolute_error="0.09", worst="axis 1, index 4")
NOISY = changed(GOOD, noise_floor="0.0011", limit="0.0001", relative_rms="0.002", excess="20")


@pytest.mark.parametrize(
    ("outputs", "verification"),
    [
        ([GOOD], NONE),
        ([GOOD, LABELS, CONSTANT], NONE),
        ([changed(GOOD, excess="1")], NONE),
        ([changed(GOOD, max_absolute_error="1000")], NONE),
        ([GOOD], own()),
        ([WRONG], own(relative=0.02)),
        ([WRONG], all_of(absolute=0.1)),
        ([NOISY], own(relative=0.02)),
        ([changed(WRONG, metrics={"top1": "0.99"})], own(top1=0.99)),
        ([changed(WRONG, metrics={"cosine": "0.9999"})], all_of(cosine=0.999)),
        ([changed(LABELS, agreement="0.99", max_absolute_error="1")], own("labels", absolute=1)),
        ([changed(LABELS, agreement="0.99")], own("labels", agreement=0.99)),
        ([changed(LABELS, agreement="0.99"), GOOD], all_of(agreement=0.98)),
        ([GOOD, CONSTANT], all_of(relative=0.1)),
        ([changed(GOOD, finite="0.95")], NONE),
        ([changed(GOOD, limit="0.04", spread="0.31", noise_floor="0.005")], NONE),
    ],
)
def test_passes(outputs, verification):
    assert judged(outputs, verification) is None


@pytest.mark.parametrize(
    ("outputs", "verification", "reason", "words"),
    [
        ([changed(GOOD, excess="1.01")], NONE, "VerificationFailed", "1.01 times its limit"),
        ([WRONG], NONE, "VerificationFailed", "axis 1, index 4"),
        ([WRONG], own(), "VerificationFailed", "axis 1, index 4"),
        ([changed(GOOD, excess="inf", spread="0")], NONE, "VerificationFailed", "inf"),
        ([changed(GOOD, non_finite=3)], NONE, "VerificationFailed", "3 elements"),
        ([changed(GOOD, non_finite=3)], own(relative=1), "VerificationFailed", "3 elements"),
        ([GOOD], own(relative=1e-7), "VerificationFailed", "tolerance 1e-07"),
        ([GOOD], own(absolute=1e-7), "VerificationFailed", "largest absolute error 3e-07"),
        ([changed(WRONG, metrics={"top1": "0.98"})], own(top1=0.99), "VerificationFailed", "top1 0.98"),
        ([WRONG, LABELS], all_of(agreement=0.5), "VerificationFailed", "axis 1, index 4"),
        ([changed(LABELS, agreement="0.999999")], NONE, "VerificationFailed", "0.999999"),
        ([changed(LABELS, agreement="0.999999")], all_of(relative=1), "VerificationFailed", "0.999999"),
        ([changed(LABELS, agreement="0.999999")], all_of(absolute=1), "VerificationFailed", "0.999999"),
        ([changed(LABELS, agreement="0.98")], own("labels", agreement=0.99), "VerificationFailed", "agreement 0.98"),
        ([GOOD, changed(CONSTANT, excess="200")], all_of(relative=1), "VerificationFailed", "anchors"),
        ([changed(LABELS, agreement="0.99", noise_floor="0.01")], NONE, "NumericallyUnstable", "state agreement"),
        ([NOISY], NONE, "NumericallyUnstable", "0.0011"),
        ([changed(NOISY, noise_floor="inf")], NONE, "NumericallyUnstable", "inf"),
        (
            [changed(GOOD, noise_floor="5e-05", limit="0.0001", excess="3", relative_rms="0.0003")],
            NONE,
            "NumericallyUnstable",
            "0.0003",
        ),
        ([changed(GOOD, spread="0.00059")], NONE, "VerificationInconclusive", "0.00059"),
        ([changed(GOOD, limit="0.04", spread="0.29")], NONE, "VerificationInconclusive", "needed: 0.3"),
        ([changed(GOOD, spread="0.05")], own(relative=0.05), "VerificationInconclusive", "needed: 0.1"),
        ([changed(GOOD, spread="0.0001")], own(absolute=1), "VerificationInconclusive", "needed: 0.0005"),
        ([changed(LABELS, spread="0")], NONE, "VerificationInconclusive", "by a relative RMS of 0"),
        ([CONSTANT], NONE, "VerificationInconclusive", "every output is the same"),
        ([changed(GOOD, finite="0.5")], NONE, "VerificationInconclusive", "50%"),
        ([changed(GOOD, finite="0.5")], all_of(relative=1), "VerificationInconclusive", "50%"),
        ([changed(GOOD, excess="nan")], NONE, "VerificationInconclusive", "nothing was measured"),
        ([changed(GOOD, excess="?", spread="?")], NONE, "VerificationInconclusive", "nothing was measured"),
        ([], NONE, "VerificationInconclusive", "at least one output"),
        ([LABELS], own("labels", relative=0.1), "InvalidSpec", "labels.relative"),
        ([changed(GOOD, metrics={"iou": "nan"})], own(iou=0.9), "InvalidSpec", "boxes"),
        ([GOOD], own(agreement=0.9), "InvalidSpec", "integers"),
    ],
)
def test_does_not_pass(outputs, verification, reason, words):
    finding = judged(outputs, verification)
    assert finding is not None
    assert finding.reason == Reason(reason)
    assert words in finding.message


def test_a_misnamed_output_gets_the_nearest_name():
    finding = judged([GOOD, LABELS], Verification(outputs={"score": Tolerance(relative=0.1)}))
    assert finding is not None
    assert finding.reason == Reason.INVALID_SPEC
    assert finding.message == "spec.verification.outputs.score: no such output; did you mean scores?"


def test_a_wrong_answer_outweighs_one_that_proves_nothing():
    dead = changed(GOOD, name="dead", relative_rms="0", excess="0", spread="1e-05")
    finding = judged([dead, WRONG], NONE)
    assert finding is not None
    assert finding.reason == Reason.VERIFICATION_FAILED


def test_the_tolerance_of_an_output_replaces_that_of_all():
    verification = Verification(tolerance=Tolerance(absolute=1e-9), outputs={"scores": Tolerance(relative=0.1)})
    assert judged([GOOD], verification) is None


@pytest.mark.parametrize("policy", ["Report", "Enforce"])
def test_edges_fail_only_where_they_are_enforced(policy):
    finding = judged([GOOD], Verification(edges=policy), edges="output scores: 3 of 40 rows differ")
    if policy == "Report":
        assert finding is None
    else:
        told = "on edges, which spec.verification.edges enforces: output scores: 3 of 40 rows differ"
        assert (finding.reason, finding.message) == (Reason.VERIFICATION_FAILED, told)


def test_evidence_without_the_metric_asked_for_is_not_complete():
    asked = all_of(top1=0.9, agreement=0.9)
    assert not is_complete([GOOD], asked)
    assert is_complete([changed(GOOD, metrics={"top1": "1", "agreement": "nan"})], asked)
    assert not is_complete([changed(GOOD, metrics={"top1": "1", "agreement": "nan"}), LABELS], asked)
    assert is_complete([changed(LABELS, metrics={"top1": "nan"})], asked)
    assert is_complete([GOOD], all_of(relative=0.1))


def test_the_message_says_how_to_repeat_and_fits():
    finding = judged([changed(WRONG, name="x" * 128)], NONE)
    assert finding is not None
    assert "modelport run" in finding.message
    assert len(finding.message) < 500


def test_the_operator_needs_no_numpy():
    code = "import sys, modelport.verification.verdict.judgement; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
