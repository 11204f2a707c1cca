"""`modelport retry`: the annotation, what is waited for, and what has nothing to retry."""

import asyncio

import msgspec
import pytest

from modelport.api.base import KIND, RETRY_ANNOTATION
from modelport.api.reasons import Reason
from modelport.api.status import Failure, Status
from modelport_cli.commands.cluster.retry import what_to_retry
from modelport_cli.errors import CommandError
from unit.operator.scenes import resource


def test_the_operator_tries_once_more(cli, failed):
    ended = cli("retry", "net")
    assert ended.status == 0
    assert "another attempt of Import (DigestMismatch) is asked for" in ended.err
    asyncio.run(failed.reconcile())
    (job,) = failed.kube.named("Job")
    assert job["metadata"]["annotations"]["modelport.dev/attempt"] == "2"
    live = failed.kube.objects[KIND, "team", "net"]
    assert live["status"]["lastHandledRetryAt"] == live["metadata"]["annotations"][RETRY_ANNOTATION]


def test_the_end_of_the_new_attempt_is_waited_for(cli, api, failed):
    def work(_body):
        asyncio.run(failed.reconcile())
        failed.kube.objects.pop(("Pod", "team", "gone"), None)
        failed.kube.run_job("net-import")
        asyncio.run(failed.reconcile())
        failed.kube.run_job("net-convert")
        asyncio.run(failed.reconcile())

    api.on_patch = work
    ended = cli("retry", "net", "--wait")
    assert ended.status == 0
    assert "net is ready after" in ended.err


def test_an_attempt_that_waits_for_its_turn_is_shown_meanwhile(cli, failed, monkeypatch):
    stalled = failed.kube.objects[KIND, "team", "net"]
    status = stalled["status"] | {"failure": stalled["status"]["failure"] | {"retryable": True}}
    queued = status["conditions"][0] | {"type": "Queued", "status": "True", "reason": "Queued"}
    waiting = stalled | {"status": status | {"conditions": [queued]}}

    def watch(_cluster, _name):
        yield stalled
        yield waiting
        raise CommandError("it was deleted")

    monkeypatch.setattr("modelport_cli.access.following.watch_resource", watch)
    ended = cli("retry", "net", "--wait")
    assert ended.status == 1
    assert "Import   failed: DigestMismatch (attempt 1, tried again)" in ended.err
    assert "it was deleted" in ended.err


def test_what_serves_has_nothing_to_retry(cli, served):
    ended = cli("retry", "net")
    assert ended.status == 1
    assert "net has nothing to retry: nothing failed (Serving:" in ended.err
    assert "annotations" not in served.kube.objects[KIND, "team", "net"]["metadata"]


@pytest.mark.parametrize(
    ("stage", "reason", "told"),
    [
        ("Convert", Reason.INVALID_SPEC, "Correct the field"),
        ("Serve", Reason.NAME_CONFLICT, "Rename"),
        ("Serve", Reason.OUT_OF_MEMORY, "serving.resources"),
    ],
)
def test_what_another_attempt_does_not_help_is_told_with_what_does(stage, reason, told):
    from modelport.api.reasons import ADVICE

    failure = Failure(key="k", stage=stage, reason=reason, message="why", hint=ADVICE[reason].hint)
    case = resource(status=Status(observed_generation=1, failure=failure))
    with pytest.raises(CommandError, match="nothing to retry") as refused:
        what_to_retry(case)
    assert told in refused.value.hint
    seen = msgspec.structs.replace(case, metadata=msgspec.structs.replace(case.metadata, generation=2))
    with pytest.raises(CommandError, match="has not looked at the present spec"):
        what_to_retry(seen)


def test_who_is_suspended_is_told_so():
    with pytest.raises(CommandError, match="suspended"):
        what_to_retry(resource({"source": {"uri": "s3://models/net.onnx"}, "suspend": True}))
