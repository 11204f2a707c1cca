"""What is counted: resources that are Ready, Jobs beside the first, and the operator's calls in the audit log."""

import datetime as dt
import json
import time

from scale.operating import ACCOUNT, calls
from scale.seen import Seen

from modelport_operator.names import RESOURCE_LABEL, STAGE_LABEL

SINCE = dt.datetime(2020, 1, 15, 8, 0, tzinfo=dt.UTC)


def body(status, *, generation=1, message=""):
    ready = {"type": "Ready", "status": status, "message": message}
    return {"metadata": {"name": "net"}, "status": {"observedGeneration": generation, "conditions": [ready]}}


def test_when_a_resource_was_ready_first_and_told_of_a_generation():
    seen, before = Seen(), time.monotonic()
    seen.see_resource("ADDED", {"metadata": {"name": "net"}})
    seen.see_resource("MODIFIED", body("False"))
    assert seen.ready == {}
    seen.see_resource("MODIFIED", body("True"))
    first = seen.ready["net"]
    assert before <= first <= time.monotonic()
    seen.see_resource("MODIFIED", body("True", generation=2))
    assert seen.ready == {"net": first}
    assert seen.told["net", 1] <= first <= seen.told["net", 2]
    seen.see_resource("DELETED", body("True"))
    assert seen.ready == {}


def test_a_resource_that_goes_on_is_stalled_no_more():
    seen = Seen()
    stalled = {"type": "Stalled", "status": "True", "message": "expected this"}
    seen.see_resource("MODIFIED", {"metadata": {"name": "net"}, "status": {"conditions": [stalled]}})
    assert seen.stalled == {"net": "expected this"}
    seen.see_resource("MODIFIED", body("False"))
    assert seen.stalled == {}


def job(uid, stage):
    return {"metadata": {"uid": uid, "labels": {RESOURCE_LABEL: "net", STAGE_LABEL: stage}}}


def test_jobs_beside_the_first_of_a_stage_are_counted_though_they_are_gone():
    seen = Seen()
    for change, one in (
        ("ADDED", job("1", "import")),
        ("MODIFIED", job("1", "import")),
        ("DELETED", job("1", "import")),
        ("ADDED", job("2", "convert")),
    ):
        seen.see_job(change, one)
    assert seen.jobs_of({"net"}) == (2, 0)
    seen.see_job("ADDED", job("3", "import"))
    assert seen.jobs_of({"net"}) == (3, 1)
    assert seen.jobs_of({"another"}) == (0, 0)


def line(verb, resource, *, seconds=1.0, user=ACCOUNT):
    moment = (SINCE + dt.timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
    told = {"verb": verb, "user": {"username": user}, "requestReceivedTimestamp": moment}
    return json.dumps(told | ({"objectRef": {"resource": resource}} if resource else {})) + "\n"


def test_which_calls_are_counted(tmp_path):
    lines = [
        line("get", "modelconversions"),
        line("watch", "pods"),
        line("update", "leases"),
        line("get", ""),
        line("get", "jobs", user="admin"),
        line("get", "jobs", seconds=-1),
    ]
    (tmp_path / "audit.log").write_text("".join(lines))
    (tmp_path / "audit-2020-01-15T08-00-01.000.log").write_text(line("list", "jobs") * 2)
    assert calls(SINCE, tmp_path) == {"get modelconversions": 1, "get discovery": 1, "list jobs": 2}
