"""`modelport logs`: which containers, in which order, and what is left when the pods are gone."""

import asyncio

from modelport.api.base import KIND


def pods(scene, stage):
    return [
        body["metadata"]["name"]
        for body in scene.kube.named("Pod")
        if body["metadata"]["labels"]["modelport.dev/stage"] == stage
    ]


def test_all_steps_in_their_order_with_where_they_are_from(cli, api, served):
    for name in (*pods(served, "import"), *pods(served, "convert")):
        for container in ("fetch", "inspect", "keep", "stage", "hop-1", "try", "judge", "publish"):
            api.logs[name, container] = f"{container} begins\n\x1b[31mred\x1b[0m and ends"
    ended = cli("logs", "net")
    assert ended.status == 0
    said = [line.split(" | ") for line in ended.out.splitlines()]
    assert [label for label, text in said if text.endswith("begins")] == [
        *("import/fetch", "import/inspect", "import/keep"),
        *("convert/stage", "convert/ask+hop-1", "convert/try", "convert/judge", "convert/publish"),
    ]
    assert "\x1b" not in ended.out
    only = cli("logs", "net", "--step", "ask")
    assert [line.split(" | ")[0] for line in only.out.splitlines()] == ["convert/ask+hop-1"] * 2


def test_following_ends_with_the_resource(cli, api, failed):
    (pod,) = pods(failed, "import")
    api.logs[pod, "fetch"] = "not what it should be\n"
    ended = cli("logs", "net", "-f")
    assert ended.status == 1
    assert "import/fetch | not what it should be" in ended.out


def test_the_status_keeps_the_end_of_the_log(cli, failed):
    for name in pods(failed, "import"):
        del failed.kube.objects["Pod", "team", name]
    for body in failed.kube.named("Job"):
        del failed.kube.objects["Job", "team", body["metadata"]["name"]]
    asyncio.run(failed.reconcile())
    ended = cli("logs", "net")
    assert ended.status == 0
    assert ended.out == "import/fetch | log of fetch\n"
    assert "the pods are gone" in ended.err
    other = cli("logs", "net", "--step", "judge")
    assert other.status == 1
    assert "no logs of step judge" in other.err


def test_the_attempt_before(cli, api, failed):
    assert cli("logs", "net", "--previous").status == 1
    (name,) = pods(failed, "import")
    first = failed.kube.objects["Pod", "team", name]
    later = first["metadata"] | {"name": "later", "creationTimestamp": "2027-01-15T08:30:00Z"}
    failed.kube.objects["Pod", "team", "later"] = first | {"metadata": later}
    api.logs[name, "fetch"], api.logs["later", "fetch"] = "first", "second"
    assert "import/fetch | first" in cli("logs", "net", "--previous").out
    assert "import/fetch | second" in cli("logs", "net").out
    assert cli("logs", "net", "--previous", "--follow").status == 2


def test_servers(cli, api, served):
    assert cli("logs", "net", "--serving").status == 1
    owner = {"kind": "ReplicaSet", "name": "net-1", "uid": "u", "controller": True}
    states = [{"name": name, "state": {"running": {}}, "restartCount": 0} for name in ("fetch", "server")]
    spec = served.kube.objects["Deployment", "team", "net"]["spec"]["template"]["spec"]
    labels = served.kube.objects["Deployment", "team", "net"]["spec"]["template"]["metadata"]["labels"]
    meta = {"labels": labels, "ownerReferences": [owner]}
    status = {"phase": "Running", "initContainerStatuses": states[:1], "containerStatuses": states[1:]}
    api.put("Pod", "net-1", {"metadata": meta, "spec": spec, "status": status})
    api.logs["net-1", "server"] = "listening\n"
    assert cli("logs", "net", "--serving").out == "net-1/server | listening\n"
    assert cli("logs", "net", "--serving", "--previous").status == 1


def test_no_such_resource(cli, served):
    ended = cli("logs", "other")
    assert ended.status == 1
    assert f"{KIND} team/other" in ended.err
