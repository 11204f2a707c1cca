"""What the chart renders: rights, security contexts, namespaced installs, and the values that it refuses."""

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
import yaml

from chart.rendering import CHART, DECLARED, IMAGES, NAMESPACE, STORE, Body, only, pods
from modelport_cli.previews.settings import VARIABLES, environment_of
from modelport_operator import settings
from modelport_operator.leading.lease import Terms
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
    ("networking.k8s.io", "networkpolicies"): {"get", "list", "watch", "create", "patch", "delete"},
    ("policy", "poddisruptionbudgets"): {"get", "list", "watch", "create", "patch", "delete"},
    ("autoscaling", "horizontalpodautoscalers"): {"get", "list", "watch", "create", "patch", "delete"},
    ("keda.sh", "scaledobjects"): {"get", "list", "watch", "create", "patch", "delete"},
    ("", "pods"): {"get", "list", "watch"},
    ("", "pods/log"): {"get"},
    ("", "events"): {"get", "list", "watch", "create", "patch"},
    ("events.k8s.io", "events"): {"get", "list", "watch", "create", "patch"},
}
"""All that the operator may do: whoever adds a line here gives every cluster's operator that right."""
WORKS_ALONE = {"replicas": 1, "leaderElection": {"enabled": False}}
EDIT = {"get", "list", "watch", "create", "update", "patch", "delete"}
USERS = {
    "modelport-view": {("modelport.dev", "modelconversions"): {"get", "list", "watch"}},
    "modelport-edit": {("modelport.dev", f"modelconversions{part}"): EDIT for part in ("", "/scale")},
}


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
    "replicas without a Lease": ({"operator": {"leaderElection": {"enabled": False}}}, "expected 1 without"),
    "Lease that outlives its leader by nothing": (
        {"operator": {"leaderElection": {"renewDeadlineSeconds": 15}}},
        "found 15, 15 and 2",
    ),
    "no time to renew": ({"operator": {"leaderElection": {"retryPeriodSeconds": 9}}}, "found 15, 10 and 9"),
    "Lease of half a second": ({"operator": {"leaderElection": {"leaseDurationSeconds": 0.5}}}, "leaseDurationSeconds"),
    "variable without a name": ({"operator": {"extraEnv": [{"value": "1"}]}}, "extraEnv"),
    "label that is a number": ({"operator": {"podLabels": {"tier": 1}}}, "podLabels"),
    "size": ({"store": {"size": "20GB"}}, "size"),
    "pull secret without a name": ({"imagePullSecrets": [{}]}, "imagePullSecrets"),
    "pull secret that is two": ({"imagePullSecrets": [{"name": "a,b"}]}, "imagePullSecrets"),
    "telemetry without a scheme": ({"serving": {"telemetry": {"otlpEndpoint": "collector:4317"}}}, "otlpEndpoint"),
    "prometheus without a scheme": (
        {"serving": {"autoscaling": {"prometheusAddress": "prometheus:9090"}}},
        "prometheusAddress",
    ),
    "block without a mask": ({"networkPolicies": {"except": ["10.0.0.1"]}}, "networkPolicies"),
    "peer that is everybody": ({"networkPolicies": {"sources": [{}]}}, "networkPolicies"),
    "rule as a peer": ({"networkPolicies": {"egress": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}}, "networkPolicies"),
    "no way to the API server": ({"networkPolicies": {"apiServerPorts": []}}, "apiServerPorts"),
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
    assert {role["metadata"]["name"]: rights(role) for role in roles} == USERS
    for role in roles:
        part = role["metadata"]["name"].removeprefix("modelport-")
        assert role["metadata"]["labels"][f"rbac.authorization.k8s.io/aggregate-to-{part}"] == "true"


def test_users_of_a_namespaced_install_get_roles_in_each_namespace(render: Render) -> None:
    roles = [each for each in render(watchNamespaces=["ml", "vision"]) if each["kind"] == "Role"]
    found = {(each["metadata"]["namespace"], each["metadata"]["name"]): rights(each) for each in roles}
    for namespace in ("ml", "vision"):
        assert {name: found[namespace, name] for name in USERS} == USERS
    silent = render(watchNamespaces=["ml"], rbac={"userRoles": False})
    assert not [each for each in silent if each["kind"] == "Role" and each["metadata"]["name"] in USERS]


def test_the_command_line_reads_values_as_the_chart_does(render: Render) -> None:
    given: Body = {
        "imagePullPolicy": "Always",
        "imagePullSecrets": [{"name": "registry"}, {"name": "mirror"}],
        "operator": {"cpuLevel": "x86-64-v3", "jobTTLSeconds": 60, "clusterDomain": "corp.example"},
        "serving": {
            "telemetry": {"otlpEndpoint": "http://collector:4317"},
            "autoscaling": {"prometheusAddress": "http://prometheus:9090"},
        },
        "networkPolicies": yaml.safe_load((CHART / "values.yaml").read_text())["networkPolicies"] | {"enabled": False},
        "store": STORE,
    }
    container = only(render(**given), "Deployment", "modelport-operator")["spec"]["template"]["spec"]["containers"][0]
    variables = {each["name"]: each.get("value", "") for each in container["env"]}
    assert environment_of(given).items() <= variables.items()
    listed = {f"MODELPORT_{name}" for name in ("IMAGE_PULL_SECRETS", "STORE_NAMESPACES", "NETWORK_POLICIES")}
    assert environment_of(given).keys() == {*VARIABLES, *listed}


def test_namespaced_install_has_no_right_cluster_wide(render: Render) -> None:
    bodies = render(watchNamespaces=["ml", "vision"])
    assert not [each for each in bodies if each["kind"] in {"ClusterRole", "ClusterRoleBinding"}]
    roles = [each for each in bodies if each["kind"] == "Role" and each["metadata"]["name"] == "modelport-operator"]
    assert {each["metadata"]["namespace"]: rights(each) for each in roles} == {"ml": RIGHTS, "vision": RIGHTS}
    bindings = [each for each in bodies if each["kind"] == "RoleBinding"]
    bindings = [each for each in bindings if each["roleRef"]["name"] == "modelport-operator"]
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
    return {each["name"]: each.get("value", "") for each in container["env"]}


def test_operator_knows_every_setting_that_it_is_given(render: Render) -> None:
    known = {f"MODELPORT_{field.name.upper()}" for field in msgspec.structs.fields(Settings)}
    given = environment(render())
    assert set(given) <= known
    (container,) = pods(render())["modelport-operator"]["spec"]["containers"]
    ports = {each["name"]: str(each["containerPort"]) for each in container["ports"]}
    assert ports == {"metrics": given["MODELPORT_METRICS_PORT"], "probes": given["MODELPORT_PROBES_PORT"]}


def test_operator_is_told_what_jobs_and_servers_need(render: Render) -> None:
    serving = {
        "telemetry": {"otlpEndpoint": "http://collector.monitoring:4317"},
        "autoscaling": {"prometheusAddress": "http://prometheus.monitoring:9090"},
    }
    bodies = render(imagePullSecrets=[{"name": "one"}, {"name": "two"}], imagePullPolicy="Always", serving=serving)
    assert environment(bodies)["MODELPORT_IMAGE_PULL_POLICY"] == "Always"
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


def test_one_of_two_operators_works_and_one_is_always_there(render: Render) -> None:
    bodies = render()
    spec = only(bodies, "Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]["rollingUpdate"]) == (2, {"maxUnavailable": 0, "maxSurge": 1})
    budget = only(bodies, "PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == spec["selector"]
    (term,) = spec["template"]["spec"]["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert term["podAffinityTerm"]["labelSelector"] == spec["selector"]


def test_operators_settings_of_the_lease_are_those_that_it_may_write(render: Render) -> None:
    bodies = render(watchNamespaces=["ml"])
    given = settings_of(bodies)
    role, binding = (only(bodies, kind, "modelport-operator-lease") for kind in ("Role", "RoleBinding"))
    assert given.leader_election
    assert given.lease_namespace == role["metadata"]["namespace"] == binding["metadata"]["namespace"] == NAMESPACE
    named, unnamed = role["rules"]
    assert (named["resourceNames"], set(named["verbs"])) == ([given.lease_name], {"get", "update"})
    assert unnamed["verbs"] == ["create"]
    assert {each["apiGroups"][0] for each in role["rules"]} == {"coordination.k8s.io"}
    assert given.terms == Terms()
    (container,) = pods(bodies)["modelport-operator"]["spec"]["containers"]
    fields = {
        each["name"]: each["valueFrom"]["fieldRef"]["fieldPath"] for each in container["env"] if "valueFrom" in each
    }
    assert fields == {"MODELPORT_POD_NAME": "metadata.name", "MODELPORT_POD_UID": "metadata.uid"}


def settings_of(bodies: list[Body]) -> Settings:
    return settings.read(environment(bodies))


def test_one_that_works_without_a_lease_is_stopped_before_another_starts(render: Render) -> None:
    # nil as `helm upgrade --reuse-values` leaves values that the release before did not know
    for operator in (WORKS_ALONE, {"replicas": None, "leaderElection": None, "podDisruptionBudget": None}):
        bodies = render(operator=operator)
        spec = only(bodies, "Deployment")["spec"]
        assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
        assert not settings_of(bodies).leader_election
        assert not [
            each for each in bodies if each["kind"] == "PodDisruptionBudget" or "lease" in each["metadata"]["name"]
        ]


def test_one_operator_with_a_lease_has_no_budget_that_would_keep_a_node(render: Render) -> None:
    bodies = render(operator={"replicas": 1})
    assert settings_of(bodies).leader_election
    assert not [each for each in bodies if each["kind"] == "PodDisruptionBudget"]


def test_operator_pods_are_placed_and_marked_as_values_say(render: Render) -> None:
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}
    spread = [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}]
    bodies = render(
        operator={
            "podLabels": {"team": "ml", "app.kubernetes.io/name": "other"},
            "podAnnotations": {"note": "x"},
            "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
            "priorityClassName": "high",
            "nodeSelector": {"pool": "system"},
            "tolerations": [{"operator": "Exists"}],
            "affinity": affinity,
            "topologySpreadConstraints": spread,
        }
    )
    template = pods(bodies)["modelport-operator"]
    selector = only(bodies, "Deployment")["spec"]["selector"]["matchLabels"]
    assert template["metadata"]["labels"].items() >= selector.items() | {("team", "ml")}
    assert template["metadata"]["annotations"]["note"] == "x"
    assert environment(bodies)["HTTPS_PROXY"] == "http://proxy:3128"
    spec = template["spec"]
    assert (spec["priorityClassName"], spec["nodeSelector"], spec["affinity"]) == ("high", {"pool": "system"}, affinity)
    assert (spec["tolerations"], spec["topologySpreadConstraints"]) == ([{"operator": "Exists"}], spread)


def test_every_value_is_in_the_schema_and_no_other() -> None:
    properties = json.loads((CHART / "values.schema.json").read_text())["properties"]
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    open_ = {"images", "resources", "nodeSelector", "podLabels", "podAnnotations", "affinity", "labels"}

    def compare(values: Body, schema: Body, path: str) -> None:
        assert set(values) == set(schema), path
        for name, value in values.items():
            inner = schema[name].get("properties")
            if isinstance(value, dict) and name not in open_:
                assert schema[name]["additionalProperties"] is False, f"{path}.{name}"
                compare(value, inner, f"{path}.{name}")

    compare(values, {name: schema for name, schema in properties.items() if name != "global"}, "")


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
