"""`modelport describe`: one page with all there is."""


def test_what_serves(cli, api, served):
    uid = served.kube.objects["ModelConversion", "team", "net"]["metadata"]["uid"]
    about = {"kind": "ModelConversion", "name": "net", "uid": uid}
    event = {
        "involvedObject": about,
        "reason": "Serving",
        "message": "it answers",
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }
    api.put("Event", "net.1", event)
    api.put("Event", "other.1", event | {"involvedObject": about | {"uid": "of another"}, "message": "not ours"})
    page = cli("describe", "net")
    assert page.status == 0
    lines = page.out.splitlines()
    assert lines[0] == "team/net"
    for begin in (
        "CONDITION",
        "Ready",
        "ReplicasAvailable",
        "JOB",
        "Import",
        "Convert",
        "CHILD",
        "Deployment",
        "Service",
    ):
        assert any(line.startswith(begin) for line in lines), begin
    assert "it answers" in page.out
    assert "not ours" not in page.out
    assert "onnx → onnx" in page.out
    steps = [line.split() for line in lines if line.startswith(" ")]
    assert ["judge", "done"] in steps


def test_what_failed_with_the_troubles_of_its_pods(cli, failed):
    page = cli("describe", "net").out
    assert "Import failed: DigestMismatch" in page
    assert "hint:" in page
    assert "docs: docs/reference/reasons.md, DigestMismatch" in page
    (pod,) = [line for line in page.splitlines() if line.startswith("Pod ")]
    assert "Failed: DigestMismatch: step fetch: expected this, found that" in pod
    steps = [line.split() for line in page.splitlines() if line.startswith(" ")]
    assert ["fetch", "failed"] in steps
    assert ["keep", "skipped"] in steps


def test_no_such_resource(cli, served):
    ended = cli("describe", "other")
    assert (ended.status, ended.out) == (1, "")
