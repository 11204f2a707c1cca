"""What the chart renders: rights, security contexts, namespaced installs, and the values that it refuses."""

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
import yaml

from chart.rendering import CHART, DECLARED, IMAGES, NAMESPACE, STORE, Body, only, pods
from modelport_operator import settings
from modelport_operator.plan.serving.objects import OBJECTS
from modelport_operator.settings import Settings

Render = Callable[..., list[Body]]
Helm = Callable[..., subprocess.CompletedProcess[str]]
MONITOR = {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}}

RIGHTS = {
    ("modelport.dev", "modelconversions"): {"get", "list", "watch"},
    ("modelport.dev", "modelconversions/status"): {"patch", "update"},
    ("modelport.dev", "modelconversions/finalizers"): {"update"},
    ("batch", "jobs"): {"get", "list", "watch", "create", "delete"},
    ("apps", "deployments"): {"get", "list", "watch", "create", "patch", "delete"},
    ("", "services"): {"get", "list", "watch", "create", "patch", "delete"},
    ("policy", "poddisruptionbudgets"): {"get", "list", "watch", "create", "patch", "delete"},
    ("autoscaling", "horizontalpodautoscalers"): {"get", "list", "watch", "create", "patch", "delete"},
    ("keda.sh", "scaledobjects"): {"get", "list", "watch", "create", "patch", "delete"},
    ("", "pods"): {"get", "list", "watch"},
    ("", "pods/log"): {"get"},
    ("", "events"): {"get", "list", "watch", "create", "patch"},
    ("events.k8s.io", "events"): {"get", "list", "watch", "create", "patch"},
}
"""All that the operator may do: whoever adds a line here gives every cluster's operator that right."""


def rights(role: Body) -> dict[tuple[str, str], set[str]]:
    return {
        (group, resource): set(rule["verbs"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def test_lint(helm: Helm) -> None:
    done = helm("lint", "--strict", "--kube-version=1.34.0", str(CHART), values={"images": IMAGES, "store": STORE})
    assert done.returncode == 0, done.stdout + done.stderr


def test_version_is_the_projects() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    from modelport import __version__

    assert chart["version"] == chart["appVersion"] == __version__


def test_images_are_the_declared_ones() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"]["images"]
    assert set(values["images"]) == set(schema["properties"]) == set(DECLARED)
    assert set(schema["required"]) == {"operator", "converter-onnx"}, "others are of frameworks and runtimes"


REFUSED: dict[str, tuple[Body, str]] = {
    "unknown value": ({"oprator": {}}, "oprator"),
    "unknown value inside": ({"operator": {"loglevel": "DEBUG"}}, "loglevel"),
    "image that is missing": ({"images": {**IMAGES, "operator": ""}}, "operator"),
    "image by a tag": ({"images": {**IMAGES, "operator": "registry.test/operator:1.0"}}, "/images/operator"),
    "image by a digest that is cut": ({"images": {**IMAGES, "operator": "r/operator@sha256:00"}}, "/images/operator"),
    "server by a tag": ({"images": {**IMAGES, "server-tvm": "registry.test/tvm:latest"}}, "/images/server-tvm"),
    "unknown image": ({"images": {**IMAGES, "server-nothing": "x"}}, "server-nothing"),
    "pull policy": ({"imagePullPolicy": "Sometimes"}, "imagePullPolicy"),
    "log level": ({"operator": {"logLevel": "debug"}}, "logLevel"),
    "processor": ({"operator": {"cpuLevel": "avx2"}}, "cpuLevel"),
    "fewer Jobs than none": ({"operator": {"maxJobs": -1}}, "maxJobs"),
    "half a Job": ({"operator": {"maxJobsPerNamespace": 0.5}}, "maxJobsPerNamespace"),
    "resync": ({"operator": {"resyncSeconds": 0}}, "resyncSeconds"),
    "size": ({"store": {"size": "20GB"}}, "size"),
    "pull secret without a name": ({"imagePullSecrets": [{}]}, "imagePullSecrets"),
    "pull secret that is two": ({"imagePullSecrets": [{"name": "a,b"}]}, "imagePullSecrets"),
    "telemetry without a scheme": ({"serving": {"telemetry": {"otlpEndpoint": "collector:4317"}}}, "otlpEndpoint"),
    "prometheus without a scheme": (
        {"serving": {"autoscaling": {"prometheusAddress": "prometheus:9090"}}},
        "prometheusAddress",
    ),
    "namespace": ({"watchNamespaces": ["Team_A"]}, "watchNamespaces"),
    "namespace twice": ({"store": {"namespaces": ["a", "a"]}}, "namespaces"),
    "namespaces as text": ({"watchNamespaces": "a,b"}, "watchNamespaces"),
    "store without its image": ({"store": STORE, "images": {**IMAGES, "store": ""}}, "images.store"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_values_are_refused(case: str, helm: Helm) -> None:
    values, word = REFUSED[case]
    done = helm("template", "modelport", str(CHART), "--kube-version=1.34.0", values={"images": IMAGES, **values})
    assert done.returncode != 0
    assert word in done.stderr


def test_operator_has_these_rights_everywhere(render: Render) -> None:
    bodies = render(store=STORE)
    assert rights(only(bodies, "ClusterRole", "modelport-operator")) == RIGHTS
    assert not any("secrets" in resource for _, resource in RIGHTS)
    binding = only(bodies, "ClusterRoleBinding")
    account = only(bodies, "ServiceAccount")["metadata"]
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}
    ]


def test_operator_may_touch_all_that_serving_consists_of(render: Render) -> None:
    found = rights(only(render(), "ClusterRole", "modelport-operator"))
    wanted = {"get", "list", "watch", "create", "patch", "delete"}
    for each in OBJECTS:
        assert found[each.api_version.rpartition("/")[0], each.plural] == wanted


def test_users_get_no_right_to_write_the_status(render: Render) -> None:
    roles = [each for each in render() if each["kind"] == "ClusterRole" and "aggregate" in str(each["metadata"])]
    assert len(roles) == 2
    assert all("status" not in resource for role in roles for _, resource in rights(role))
    view = next(role for role in roles if "rbac.authorization.k8s.io/aggregate-to-view" in role["metadata"]["labels"])
    assert rights(view) == {("modelport.dev", "modelconversions"): {"get", "list", "watch"}}


def test_namespaced_install_has_no_right_cluster_wide(render: Render) -> None:
    bodies = render(watchNamespaces=["ml", "vision"])
    assert not [each for each in bodies if each["kind"] in {"ClusterRole", "ClusterRoleBinding"}]
    roles = {each["metadata"]["namespace"]: each for each in bodies if each["kind"] == "Role"}
    assert {name: rights(role) for name, role in roles.items()} == {"ml": RIGHTS, "vision": RIGHTS}
    bindings = [each for each in bodies if each["kind"] == "RoleBinding"]
    assert {each["metadata"]["namespace"] for each in bindings} == {"ml", "vision"}
    assert all(each["subjects"][0]["namespace"] == NAMESPACE for each in bindings)
    assert environment(bodies)["MODELPORT_WATCH_NAMESPACES"] == "ml,vision"
    names = [(each["kind"], each["metadata"]["name"]) for each in bodies if not each["metadata"].get("namespace")]
    assert names == [("CustomResourceDefinition", "modelconversions.modelport.dev")]
    assert not [
        each
        for each in render(watchNamespaces=["ml"], crds={"enabled": False})
        if each["kind"].startswith("C") and each["kind"] != "ConfigMap"
    ]


def environment(bodies: list[Body]) -> dict[str, str]:
    (container,) = pods(bodies)["modelport-operator"]["spec"]["containers"]
    return {each["name"]: each["value"] for each in container["env"]}


def test_operator_knows_every_setting_that_it_is_given(render: Render) -> None:
    known = {f"MODELPORT_{field.name.upper()}" for field in msgspec.structs.fields(Settings)}
    given = environment(render())
    assert set(given) <= known
    (container,) = pods(render())["modelport-operator"]["spec"]["containers"]
    ports = {each["name"]: str(each["containerPort"]) for each in container["ports"]}
    assert ports == {"metrics": given["MODELPORT_METRICS_PORT"], "liveness": given["MODELPORT_LIVENESS_PORT"]}


def test_operator_is_told_what_jobs_and_servers_need(render: Render) -> None:
    serving = {
        "telemetry": {"otlpEndpoint": "http://collector.monitoring:4317"},
        "autoscaling": {"prometheusAddress": "http://prometheus.monitoring:9090"},
    }
    bodies = render(imagePullSecrets=[{"name": "one"}, {"name": "two"}], serving=serving)
    assert environment(bodies)["MODELPORT_IMAGE_PULL_SECRETS"] == "one,two"
    assert environment(bodies)["MODELPORT_OTLP_ENDPOINT"] == "http://collector.monitoring:4317"
    assert environment(bodies)["MODELPORT_PROMETHEUS_ADDRESS"] == "http://prometheus.monitoring:9090"
    assert pods(bodies)["modelport-operator"]["spec"]["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]
    # nil as `helm upgrade --reuse-values` leaves a value that the release before did not know
    for silent in (render(), render(serving=None)):
        assert environment(silent)["MODELPORT_IMAGE_PULL_SECRETS"] == ""
        assert environment(silent)["MODELPORT_OTLP_ENDPOINT"] == ""
        assert environment(silent)["MODELPORT_PROMETHEUS_ADDRESS"] == ""


def test_limits_of_jobs_reach_the_operator(render: Render) -> None:
    for values, expected in (
        ({}, (0, 0)),
        ({"operator": {"maxJobs": 20, "maxJobsPerNamespace": 5}}, (20, 5)),
        # nil as `helm upgrade --reuse-values` leaves a value that the release before did not know
        ({"operator": {"maxJobs": None, "maxJobsPerNamespace": None}}, (0, 0)),
    ):
        found = settings.read(environment(render(**values)))
        assert (found.max_jobs, found.max_jobs_per_namespace) == expected


def test_catalogue_names_the_images_of_jobs_and_servers(render: Render) -> None:
    bodies = render()
    (mount,) = [
        each
        for each in pods(bodies)["modelport-operator"]["spec"]["containers"][0]["volumeMounts"]
        if each["name"] == "images"
    ]
    assert environment(bodies)["MODELPORT_IMAGES_FILE"] == f"{mount['mountPath']}/images.json"
    catalogue = json.loads(only(bodies, "ConfigMap")["data"]["images.json"])
    assert catalogue == {name: IMAGES[name] for name in DECLARED if name not in {"operator", "store"}}


def test_other_images_make_another_operator_pod(render: Render) -> None:
    def annotations(images: dict[str, str]) -> Any:
        return pods(render(images=images))["modelport-operator"]["metadata"]["annotations"]

    assert annotations(IMAGES) == annotations(dict(IMAGES))
    assert annotations(IMAGES) != annotations({**IMAGES, "converter-onnx": f"registry.test/other@sha256:{'0' * 64}"})


def test_there_is_never_a_second_operator(render: Render) -> None:
    spec = only(render(), "Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (1, "Recreate")


def containers(template: Body) -> Iterator[Body]:
    yield from template["spec"].get("initContainers", [])
    yield from template["spec"]["containers"]


def test_every_pod_is_restricted(render: Render) -> None:
    templates = pods(render(store=STORE))
    assert set(templates) == {"modelport-operator", "modelport-store"}
    for template in templates.values():
        security = template["spec"]["securityContext"]
        assert security["runAsNonRoot"]
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {next(iter(set(each) - {"name"})) for each in template["spec"]["volumes"]} <= {
            "configMap",
            "emptyDir",
            "secret",
        }
        for container in containers(template):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"requests", "limits"} <= set(container["resources"])


def test_only_the_operator_has_a_token(render: Render) -> None:
    store = pods(render(store=STORE))["modelport-store"]["spec"]
    assert store["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in store


def test_selectors_choose_exactly_their_pods(render: Render) -> None:
    bodies = render(store=STORE, monitoring=MONITOR)
    templates = pods(bodies)
    for kind, name in (("Service", "modelport-operator"), ("Service", "modelport-store")):
        selector = only(bodies, kind, name)["spec"]["selector"].items()
        chosen = [each for each, template in templates.items() if selector <= template["metadata"]["labels"].items()]
        assert chosen == [name]
    monitor = only(bodies, "ServiceMonitor")
    service = only(bodies, "Service", "modelport-operator")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"] == [{"port": service["spec"]["ports"][0]["name"]}]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"


def test_crd_is_the_generated_one_and_is_kept(render: Render) -> None:
    definition = only(render(), "CustomResourceDefinition")
    assert definition["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    generated = (CHART.parents[1] / "crds/modelconversions.modelport.dev.yaml").read_text()
    assert definition == yaml.safe_load(generated)
    assert not [each for each in render(crds={"enabled": False}) if each["kind"] == "CustomResourceDefinition"]
