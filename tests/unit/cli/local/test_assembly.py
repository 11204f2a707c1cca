"""Statuses of local runs keep the operator's promises."""

import pytest

from modelport.api.reasons import Reason
from modelport.api.status import ArtifactStatus, SourceStatus, VerificationStatus
from modelport.errors import ModelportError
from modelport_cli.local.assembly import RunFacts, make_failure, make_status
from modelport_cli.local.processes import StepError

SOURCE = SourceStatus(key="s", uri="file:///net.onnx", digests={"source": "sha256:1"}, format="onnx", size_bytes=10)
ARTIFACT = ArtifactStatus(key="a", inputs_key="i", digest="sha256:2", format="onnx", size_bytes=9, uri="file:///out/")
EVIDENCE = VerificationStatus(key="v", samples=8, max_absolute_error="1e-07", judged="j")
REPORTED = VerificationStatus(key="v", samples=8, max_absolute_error="9")
PATH = ["onnx", "onnx"]


def failed(stage, **facts):
    error = StepError(Reason.VERIFICATION_FAILED, "expected a, found b", step="judge", log_tail="last line")
    return RunFacts(**facts, failure=make_failure(error, stage=stage, key="k"))


def states(progress):
    status = make_status(progress, generation=4, now="2026-01-01T00:00:00Z")
    assert all(each.observed_generation == 4 for each in (status, *status.conditions))
    return {each.type: each.status for each in status.conditions}


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (
            RunFacts(source=SOURCE, path=PATH, artifact=ARTIFACT, verification=EVIDENCE),
            {"Ready": "True", "Imported": "True", "Converted": "True", "Verified": "True"},
        ),
        (
            RunFacts(source=SOURCE, path=PATH, artifact=ARTIFACT, verification=REPORTED),
            {"Ready": "True", "Imported": "True", "Converted": "True", "Verified": "False"},
        ),
        (
            failed("Import"),
            {"Ready": "False", "Stalled": "True", "Imported": "False", "Converted": "False", "Verified": "False"},
        ),
        *(
            (
                failed(stage, source=SOURCE, path=PATH),
                {"Ready": "False", "Stalled": "True", "Imported": "True", "Converted": "False", "Verified": "False"},
            )
            for stage in ("Convert", "Verify")
        ),
        (
            failed("Convert", source=SOURCE, path=PATH, verification=EVIDENCE),  # the store refused the artifact
            {"Ready": "False", "Stalled": "True", "Imported": "True", "Converted": "False", "Verified": "False"},
        ),
    ],
)
def test_conditions(progress, expected):
    assert states(progress) == expected


def test_a_failure_says_what_to_do():
    failure = make_failure(ModelportError(Reason.SOURCE_UNREACHABLE, "no answer"), stage="Import", key="k")
    assert (failure.reason, failure.retryable, failure.log_tail) == ("SourceUnreachable", True, "")
    assert failure.hint
    assert failed("Verify").failure.log_tail == "last line"
