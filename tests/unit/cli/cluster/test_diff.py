"""`modelport diff` as a user calls it: exit statuses, what it asks the cluster, and without one."""

import json

import pytest
import yaml

from modelport.api.base import KIND
from unit.operator.scenes import IMAGES, SERVED


@pytest.fixture
def operator(api):
    """Have an operator installed as the chart does."""
    variables = [{"name": "MODELPORT_CPU_LEVEL", "value": "x86-64-v2"}, {"name": "MODELPORT_WATCH_NAMESPACES"}]
    spec = {"template": {"spec": {"containers": [{"name": "operator", "env": variables}]}}}
    api.put("Deployment", "modelport-operator", {"spec": spec}, "modelport-system")
    api.put("ConfigMap", "modelport-images", {"data": {"images.json": json.dumps(IMAGES)}}, "modelport-system")


def test_nothing_ends_with_0_and_something_with_1(cli, served, operator, manifest):
    same = cli("diff", manifest(SERVED))
    assert (same.status, same.out, same.err) == (0, "team/net: nothing would be done\n", "")
    other = cli("diff", manifest(SERVED | {"serving": {"replicas": 3}}))
    assert other.status == 1
    assert "Scale    1 → 3 pods" in other.out
    assert "because of spec.serving.replicas" in other.out


def test_json(cli, served, operator, manifest):
    found = cli("diff", manifest(SERVED | {"target": {"options": {"opset": 18}}}), "--output", "json")
    told = json.loads(found.out)
    assert [each["act"] for each in told["changes"]] == ["Convert", "RollOut"]
    assert told["changes"][0]["path"] == ["onnx", "onnx"]
    assert told["fields"] == ["spec.target.options.opset"]


def test_who_may_not_read_the_operators_settings_gets_its_defaults(cli, served, manifest):
    found = cli("diff", manifest(SERVED | {"serving": {"replicas": 3}}))
    assert found.status == 1
    assert "taking the defaults of the operator" in found.err


KEDA = {"serving": {"autoscaling": {"maxReplicas": 2, "triggers": [{"type": "cron", "metadata": {}}]}}}


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize(
    ("refused", "is_made"), [({}, True), ({"scaledobjects": 403}, True), ({"scaledobjects": 404}, False)], ids=str
)
def test_what_scales_is_told_as_far_as_the_cluster_has_it(cli, api, served, manifest, *, refused, is_made):
    api.refused.update(refused)
    found = cli("diff", manifest(SERVED | KEDA))
    assert found.status == 1
    assert "PodDisruptionBudget net is made" in found.out
    assert ("ScaledObject net is made" in found.out) == is_made


def test_kinds_that_every_cluster_has_must_be_seen(cli, api, served, operator, manifest):
    api.refused["poddisruptionbudgets"] = 403
    found = cli("diff", manifest(SERVED))
    assert found.status == 2
    assert "poddisruptionbudgets is not for you" in found.err


def test_a_name_of_what_scales_that_is_taken_is_told(cli, api, served, operator, manifest):
    api.put("ScaledObject", "net", {"spec": {}})
    assert cli("diff", manifest(SERVED)).status == 0
    assert "NameConflict: expected ScaledObject net to be free" in cli("diff", manifest(SERVED | KEDA)).out


def test_a_new_resource(cli, operator, manifest):
    found = cli("diff", manifest(SERVED, name="new"))
    assert found.status == 1
    assert [line.split()[0] for line in found.out.splitlines()[1:]] == ["Import", "Convert", "Serve"]


@pytest.mark.parametrize("whole", [True, False], ids=["a list of all", "the resource alone"])
def test_a_saved_file_needs_no_cluster(cli, api, served, manifest, tmp_path, *, whole):
    objects = [body for body in served.kube.objects.values() if whole or body["kind"] == KIND]
    saved = tmp_path / "live.json"
    saved.write_text(json.dumps({"kind": "List", "items": objects} if whole else objects[0]))
    assert cli("diff", manifest(SERVED), "--live", saved).status == 0
    found = cli("diff", manifest(SERVED | {"serving": None}), "--live", saved)
    assert (found.status, "Unserve" in found.out) == (1, True)
    assert api.asked == []


def test_replicas_that_somebody_scaled_stay_where_the_manifest_does_not_state_them(cli, served, operator, manifest):
    live = served.kube.objects[KIND, "team", "net"]
    live["spec"] = SERVED | {"serving": {"replicas": 5}}
    live["metadata"]["managedFields"] = [{"manager": "kubectl", "subresource": "scale"}]
    found = cli("diff", manifest(SERVED | {"serving": {}}))
    assert (found.status, "Scale" in found.out) == (0, False)


def test_failures_end_with_more_than_1(cli, served, manifest, tmp_path, monkeypatch):
    assert cli("diff", tmp_path / "none.yaml").status == 2
    assert cli("diff", manifest(SERVED), "--context", "nowhere").status == 2
    assert cli("diff", manifest(SERVED), "--live", manifest(SERVED, "other").with_name("none")).status == 2
    monkeypatch.setattr("modelport_cli.commands.cluster.diff.load_body", lambda _path: 1 / 0)
    with pytest.raises(SystemExit) as ended:
        cli("diff", manifest(SERVED))
    assert ended.value.code == 2


def test_a_namespace_that_is_not_the_manifests_is_refused(cli, manifest, tmp_path):
    path = manifest(SERVED)
    body = yaml.safe_load(path.read_text())
    body["metadata"]["namespace"] = "vision"
    path.write_text(yaml.safe_dump(body))
    found = cli("diff", path, "-n", "team")
    assert found.status == 2
    assert "--namespace: expected vision" in found.err


def test_a_name_that_is_taken_is_told(cli, api, operator, manifest):
    api.put("Service", "new", {"spec": {}})
    found = cli("diff", manifest(SERVED, name="new"))
    assert found.status == 1
    assert "NameConflict: expected Service new to be free" in found.out
