"""The children as files: any change of a builder shows as a change of a golden file.

`UPDATE_GOLDEN=1 pytest tests/unit/operator/test_children.py` writes the files anew; read the diff before committing.
"""

import os
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.api.spec import Resources
from modelport_operator.names import child_name
from modelport_operator.plan.bodies.comparison import contains
from modelport_operator.plan.bodies.resources import MODEL, amount, resources
from modelport_operator.platforms import Network
from unit.operator.scenes import (
    ARTIFACT_DIGEST,
    ONNX,
    PLATFORM,
    PYTORCH,
    UPGRADED,
    converted,
    imported,
    plan_for,
    resource,
    served,
    with_spec,
)

GOLDEN = Path(__file__).parent / "golden"


WITH_STORE = msgspec.structs.replace(
    PLATFORM, network=Network(store_namespaces=("team",)), otlp_endpoint="http://collector.monitoring.svc:4317"
)
MONITORED = msgspec.structs.replace(PLATFORM, prometheus_address="http://prometheus.monitoring:9090")
BY_LOAD = {
    "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"nvidia.com/gpu": 1}},
    "autoscaling": {"minReplicas": 2, "maxReplicas": 5, "cpuUtilization": 70, "memoryUtilization": 80},
}
BY_TRIGGERS = {
    "resources": {"requests": {"cpu": "500m"}},
    "autoscaling": {
        "minReplicas": 0,
        "maxReplicas": 5,
        "cpuUtilization": 70,
        "requestsInFlight": 16,
        "queueSize": 4,
        "triggers": [
            {
                "type": "rabbitmq",
                "metadata": {"queueName": "jobs", "mode": "QueueLength", "value": "5"},
                "authenticationRef": {"name": "rabbit", "kind": "ClusterTriggerAuthentication"},
            }
        ],
        "pollingSeconds": 5,
        "cooldownSeconds": 60,
        "stabilizationSeconds": 0,
    },
    "strategy": "Recreate",
    "placement": {
        "nodeSelector": {"pool": "gpu", "kubernetes.io/arch": "arm64"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "priorityClassName": "serving",
        "runtimeClassName": "nvidia",
    },
}


def _bodies(plan, *kinds):
    """Return what a plan creates, of these kinds; of serving if none is said."""
    return [
        each.body for each in plan.create if each.body["kind"] in kinds or (not kinds and each.body["kind"] != "Job")
    ]


def _served(serving):
    case, jobs = converted(resource(ONNX | {"serving": serving}))
    return _bodies(plan_for(case, *jobs, platform=MONITORED))


def _children():
    pytorch = resource(PYTORCH)
    after_import, first = imported(pytorch)
    done, jobs = converted(pytorch)
    peer, _jobs, _live = served()
    again, again_first = imported(resource(ONNX | {"verification": {"samples": 16}}, name="copy"))
    from modelport_operator.facts import Peer

    other = Peer(
        name="net", source=peer.status.source, artifact=peer.status.artifact, verification=peer.status.verification
    )
    return {
        "import-pytorch": _bodies(plan_for(pytorch), "Job"),
        "convert-pytorch": _bodies(plan_for(after_import, first), "Job"),
        "serve-pytorch": _bodies(plan_for(done, *jobs)),
        "serve-by-load": _served(BY_LOAD),
        "serve-by-triggers": _served(BY_TRIGGERS),
        "policies": [
            *_bodies(plan_for(pytorch, platform=WITH_STORE), "NetworkPolicy"),
            *_bodies(plan_for(after_import, first, platform=WITH_STORE), "NetworkPolicy"),
            *_bodies(plan_for(done, *jobs, platform=WITH_STORE), "NetworkPolicy"),
        ],
        "import-onnx": _bodies(plan_for(resource(ONNX)), "Job"),
        "verify-onnx": _bodies(plan_for(again, again_first, peers=(other,)), "Job"),
    }


CHILDREN = _children()


@pytest.mark.parametrize("name", CHILDREN)
def test_children_are_as_written_down(name):
    file = GOLDEN / f"{name}.json"
    found = msgspec.json.format(msgspec.json.encode(CHILDREN[name]), indent=2).decode() + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(found)
    assert found == file.read_text()


def test_every_container_is_pulled_as_the_chart_says():
    platform = msgspec.structs.replace(PLATFORM, pull_policy="Always")
    done, jobs = converted(resource(PYTORCH))
    plans = (plan_for(resource(PYTORCH), platform=platform), plan_for(done, *jobs, platform=platform))
    pods = [body["spec"]["template"]["spec"] for plan in plans for body in _bodies(plan, "Job", "Deployment")]
    assert len(pods) == 2
    for pod in pods:
        assert {each["imagePullPolicy"] for each in [*pod["containers"], *pod.get("initContainers", [])]} == {"Always"}


def _pods():
    return list(_templates())


def _templates():
    for name, bodies in CHILDREN.items():
        for body in bodies:
            if "template" in body["spec"]:
                yield pytest.param(body["spec"]["template"]["spec"], id=f"{name}-{body['kind']}")


@pytest.mark.parametrize("spec", _pods())
def test_pods_satisfy_restricted_and_state_their_resources(spec):
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in spec
    volumes = {volume["name"] for volume in spec["volumes"]}
    for container in (*spec.get("initContainers", []), *spec["containers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        for side in ("requests", "limits"):
            assert {"cpu", "memory", "ephemeral-storage"} <= set(container["resources"][side])
        for name, value in container["resources"]["requests"].items():
            assert amount(value) <= amount(container["resources"]["limits"][name])
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


def _mounts(name, step):
    (body,) = CHILDREN[name]
    container = next(each for each in body["spec"]["template"]["spec"]["containers"] if each["name"] == step)
    return {mount["mountPath"]: mount.get("readOnly", False) for mount in container["volumeMounts"]}


CREDENTIALS = "/run/modelport/credentials"


@pytest.mark.parametrize(
    ("name", "step", "writes", "secrets"),
    [
        ("import-pytorch", "fetch", ["fetch"], {"source"}),
        ("import-pytorch", "inspect", ["inspect"], set()),
        ("import-pytorch", "keep", ["keep"], {"store"}),
        ("convert-pytorch", "stage", ["stage"], {"store"}),
        ("convert-pytorch", "hop-1", ["ask", "hop-1"], set()),
        ("convert-pytorch", "try", ["try"], set()),
        ("convert-pytorch", "judge", ["judge"], set()),
        ("convert-pytorch", "publish", ["publish"], {"store"}),
        ("verify-onnx", "stage", ["stage"], {"store"}),
        ("verify-onnx", "ask", ["ask"], set()),
        ("verify-onnx", "try", ["try"], set()),
        ("verify-onnx", "judge", ["judge"], set()),
        ("verify-onnx", "publish", ["publish"], {"store"}),
    ],
)
def test_a_step_writes_its_own_volume_only_and_sees_no_credentials_that_it_does_not_need(name, step, writes, secrets):
    mounts = _mounts(name, step)
    assert [path for path, read_only in mounts.items() if not read_only] == [f"/work/{name}" for name in writes]
    assert {path.removeprefix(CREDENTIALS + "/") for path in mounts if path.startswith(CREDENTIALS)} == secrets


def test_publish_sees_what_was_judged_and_nothing_else():
    assert set(_mounts("convert-pytorch", "publish")) == {
        *("/work/publish", "/work/try", "/work/judge"),
        f"{CREDENTIALS}/store",
    }


def test_samples_of_the_users_own_are_fetched_with_their_own_secret():
    data = {"uri": "s3://team/samples.npz", "secretRef": {"name": "samples"}}
    case = resource({**PYTORCH, "verification": {"data": data}})
    (body,) = _bodies(plan_for(case), "Job")
    spec = body["spec"]["template"]["spec"]
    secrets = {each["name"]: each["secret"]["secretName"] for each in spec["volumes"] if "secret" in each}
    assert secrets == {
        "credentials-source": "bucket",
        "credentials-data": "samples",
        "credentials-store": "modelport-store",
    }
    fetch = spec["containers"][0]
    mounted = [each["name"] for each in fetch["volumeMounts"] if each["name"].startswith("credentials")]
    assert mounted == ["credentials-source", "credentials-data"]


def test_only_the_fetch_of_a_server_sees_the_store():
    deployment, *_others = CHILDREN["serve-pytorch"]
    spec = deployment["spec"]["template"]["spec"]
    assert any(mount["mountPath"].endswith("/store") for mount in spec["initContainers"][0]["volumeMounts"])
    assert not any("credentials" in mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"])
    assert ARTIFACT_DIGEST in spec["initContainers"][0]["env"][0]["value"]
    assert deployment["spec"]["replicas"] == 2


def _server_of(spec, platform=PLATFORM):
    case, jobs = converted(resource(spec))
    deployment, _service = _bodies(plan_for(case, *jobs, platform=platform), "Deployment", "Service")
    return deployment["spec"]["template"]["spec"]["containers"][0]


def test_batching_is_given_to_the_server_where_it_is_asked_for():
    server = _server_of(ONNX | {"serving": {"batching": {"maxSize": 32}}})
    assert server["command"][-4:] == ["--max-batch-size", "32", "--max-batch-delay-milliseconds", "2"]
    assert not [word for word in _server_of(ONNX | {"serving": {}})["command"] if "batch" in word]


def test_a_server_is_told_where_telemetry_goes_and_whose_it_is():
    collected = msgspec.structs.replace(PLATFORM, otlp_endpoint="http://collector:4317")
    values = {each["name"]: each["value"] for each in _server_of(ONNX | {"serving": {}}, collected)["env"]}
    assert {name: value for name, value in values.items() if name.startswith("OTEL_")} == {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317",
        "OTEL_SERVICE_NAME": "net",
        "OTEL_RESOURCE_ATTRIBUTES": "k8s.namespace.name=team",
    }


def test_every_pod_is_pulled_with_the_secrets_that_the_operator_was_told_of():
    done, jobs = converted(resource(PYTORCH))
    plans = (plan_for(resource(ONNX), platform=UPGRADED), plan_for(done, *jobs, platform=UPGRADED))
    pods = [body["spec"]["template"]["spec"] for plan in plans for body in _bodies(plan, "Job", "Deployment")]
    assert len(pods) == 2
    assert [pod["imagePullSecrets"] for pod in pods] == [[{"name": "registry"}]] * 2
    assert not [param.values[0] for param in _templates() if "imagePullSecrets" in param.values[0]]


def test_no_label_of_the_resource_reaches_a_child():
    labelled = resource(ONNX, annotations={"argocd.argoproj.io/tracking-id": "x"})
    (create,) = plan_for(labelled).create
    assert "argocd" not in msgspec.json.encode(create.body["metadata"]).decode()
    assert "argocd" not in msgspec.json.encode(create.body["spec"]["template"]["metadata"]).decode()


@pytest.mark.parametrize(
    ("given_requests", "given_limits", "cpu", "memory"),
    [
        ({}, {}, ("100m", "4"), ("256Mi", "4Gi")),
        ({}, {"memory": "128Mi"}, ("100m", "4"), ("128Mi", "128Mi")),
        ({"memory": "8Gi"}, {}, ("100m", "4"), ("8Gi", "8Gi")),
        ({"cpu": "2"}, {"cpu": 3}, ("2", "3"), ("256Mi", "4Gi")),
    ],
)
def test_a_default_never_contradicts_what_is_given(given_requests, given_limits, cpu, memory):
    found = resources(MODEL, Resources(requests=given_requests, limits=given_limits), storage="1Gi")
    assert (found["requests"]["cpu"], found["limits"]["cpu"]) == cpu
    assert (found["requests"]["memory"], found["limits"]["memory"]) == memory


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("500m", 0.5),
        ("2Gi", 2 * 1024**3),
        ("3k", 3000),
        ("1.5", 1.5),
        ("1e3", 1000),
        ("2Ki", 2048),
        ("+1Gi", 1024**3),
        ("1E", 1e18),
        ("1E3", 1000),
        ("1Ei", 2**60),
        (".5", 0.5),
        ("5.", 5),
        ("12e-1", 1.2),
        ("7n", 7e-9),
    ],
)
def test_quantities(text, number):
    assert amount(text) == pytest.approx(number)


@pytest.mark.parametrize("text", ["", "Gi", "1 Gi", "1Xi", "-1", "lots", "1.2.3", "1e", "1Ki2", "++1", "."])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match="expected a quantity"):
        amount(text)


_ENDS, _MIDDLE = "abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwxyz0123456789-"
NAMES = st.builds(
    lambda first, rest: (first + rest).rstrip("-"),
    st.sampled_from(_ENDS),
    st.text(_MIDDLE, max_size=51) | st.text(_MIDDLE, min_size=45, max_size=51),
)
ROLES = st.sampled_from(["import", "convert", "verify"])
KEYS = st.text("0123456789abcdef", min_size=32, max_size=32)


@given(NAMES, ROLES, KEYS)
def test_a_childs_name_is_a_label(name, role, key):
    child = child_name(name, role, key)
    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", child)
    assert child == child_name(name, role, key)
    assert f"-{role}-" in child


@given(st.tuples(NAMES, ROLES, KEYS), st.tuples(NAMES, ROLES, KEYS))
def test_children_of_two_resources_never_share_a_name(one, other):
    if (one != other and one[1:] != other[1:]) or one[0] != other[0]:
        assert child_name(*one) != child_name(*other)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON)
def test_everything_contains_itself(value):
    assert contains(value, value)


@given(st.dictionaries(st.text(), JSON), st.text(), JSON)
def test_more_keys_do_no_harm_and_fewer_do(value, key, extra):
    more = value | {key: extra}
    assert contains(more, {name: more[name] for name in value if name != key})
    if key not in value:
        assert not contains(value, more)


@pytest.mark.parametrize(("live", "wanted"), [(1, True), ([1, 2], [1]), ({}, []), ([], {}), ("1", 1)])
def test_what_differs_is_not_contained(live, wanted):
    assert not contains(live, wanted)


def test_the_spec_of_a_resource_never_moves_a_job():
    case, first = imported(resource(ONNX))
    changed = with_spec(case, ONNX | {"serving": {"replicas": 3}})
    names = [{create.body["metadata"]["name"] for create in plan_for(each, first).create} for each in (case, changed)]
    assert names[0] == names[1]


def test_two_long_names_that_begin_alike_have_children_of_their_own():
    names = {child_name("a" * 50 + end, "convert", "0" * 32) for end in ("b", "c")}
    assert len(names) == 2
    assert {len(name) for name in names} == {63}
