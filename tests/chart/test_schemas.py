"""What the chart renders, what the operator makes and what the examples show, against the oldest and the newest Kubernetes."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from chart.rendering import CHART, ROOT, Body
from chart.schemas import faults, resource_faults, versions
from modelport.api.base import API_VERSION
from modelport_operator.plan.serving.objects import OBJECTS

Render = Callable[..., list[Body]]
OLDEST = "1.31"
"""As the chart's kubeVersion and README say."""
SUPPORTED = (OLDEST, versions()[-1])
OF_OTHERS = frozenset({"monitoring.coreos.com", "keda.sh", "argoproj.io", "external-secrets.io"})
"""API groups of others' CRDs, and those of Flux: Kubernetes has no schemas for them."""
FLUX = "toolkit.fluxcd.io"
GOLDEN = ROOT / "tests/unit/operator/plan/golden"
PEER = {"namespaceSelector": {"matchLabels": {"team": "ml"}}, "podSelector": {}}
ALL: Body = {
    "imagePullPolicy": "Always",
    "imagePullSecrets": [{"name": "registry"}],
    "watchNamespaces": ["ml", "vision"],
    "rbac": {"userRoles": False},
    "operator": {
        "replicas": 3,
        "leaderElection": {
            "enabled": True,
            "leaseDurationSeconds": 30,
            "renewDeadlineSeconds": 20,
            "retryPeriodSeconds": 4,
        },
        "podDisruptionBudget": {"enabled": True},
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
        "logLevel": "DEBUG",
        "resyncSeconds": 60,
        "auditSeconds": 60,
        "stuckSeconds": 600,
        "workers": 8,
        "reverifications": 2,
        "maxJobs": 8,
        "maxJobsPerNamespace": 2,
        "jobTTLSeconds": 60,
        "cpuLevel": "x86-64-v3",
        "clusterDomain": "corp.example",
        "priorityClassName": "system-cluster-critical",
        "podLabels": {"team": "platform"},
        "podAnnotations": {"note": "1"},
        "extraEnv": [
            {"name": "HTTPS_PROXY", "value": "http://proxy:3128"},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        ],
        "nodeSelector": {"pool": "system"},
        "tolerations": [{"key": "system", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]
                }
            }
        },
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
        ],
    },
    "serving": {
        "telemetry": {"otlpEndpoint": "http://collector:4317"},
        "autoscaling": {"prometheusAddress": "http://prometheus:9090"},
    },
    "networkPolicies": {
        "enabled": True,
        "apiServerPorts": [443],
        "except": ["10.0.0.0/16"],
        "sources": [PEER],
        "store": [PEER],
        "dns": [{"ipBlock": {"cidr": "10.0.0.10/32"}}],
        "egress": [{"to": [PEER], "ports": [{"port": 3128, "protocol": "TCP"}]}],
        "storeClients": [PEER],
    },
    "crds": {"enabled": True},
    "store": {
        "enabled": True,
        "size": "1Ti",
        "storageClassName": "fast",
        "namespaces": ["ml", "vision"],
        "resources": {"requests": {"cpu": "1"}, "limits": {"memory": "2Gi"}},
        "nodeSelector": {"pool": "storage"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
    },
    "monitoring": {
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "interval": "30s"},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}, "docsURL": "https://docs.example"},
        "dashboards": {"enabled": True, "labels": {"grafana_dashboard": "yes"}},
    },
}
STAYS_ON = {
    *("operator.leaderElection.enabled", "operator.podDisruptionBudget.enabled"),
    *("networkPolicies.enabled", "crds.enabled"),
}
"""What is on by itself."""
RENDERED: dict[str, Body] = {
    "as it comes": {},
    "with its store": {"store": {"enabled": True, "namespaces": ["ml"]}},
    "all options": ALL,
    "alone": {
        "operator": {"replicas": 1, "leaderElection": {"enabled": False}, "podDisruptionBudget": {"enabled": False}},
        "networkPolicies": {"enabled": False},
        "store": {"enabled": True},
    },
}


def check(bodies: list[Body], version: str) -> None:
    """Assert that a version of Kubernetes takes all objects that are of its own kinds."""
    found = {f"{each['kind']} {each['metadata']['name']}": faults(each, version) for each in bodies if is_own(each)}
    assert found, "nothing was looked at"
    assert not {name: wrong for name, wrong in found.items() if wrong}


def is_own(body: Body) -> bool:
    """Whether Kubernetes itself has a kind."""
    group = body["apiVersion"].rpartition("/")[0]
    return body["apiVersion"] != API_VERSION and group not in OF_OTHERS and not group.endswith(FLUX)


def leaves(values: Body, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        here = f"{path}.{name}".lstrip(".")
        if isinstance(value, dict) and value and here not in {"operator.resources", "store.resources"}:
            yield from leaves(value, here)
        else:
            yield here, value


def test_the_oldest_version_is_the_charts() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["kubeVersion"] == f">={OLDEST}.0-0"
    assert f"Kubernetes {OLDEST} or newer" in (ROOT / "README.md").read_text()


def test_all_options_are_all() -> None:
    before = {
        name: value
        for name, value in leaves(yaml.safe_load((CHART / "values.yaml").read_text()))
        if not name.startswith("images.")
    }
    after = dict(leaves(ALL))
    same = {name for name, value in before.items() if name in after and after[name] == value}
    assert same == STAYS_ON
    lacking = {name for name in before if not any(each == name or each.startswith(f"{name}.") for each in after)}
    assert lacking == set()


@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.parametrize("values", RENDERED.values(), ids=RENDERED)
def test_the_chart(values: Body, version: str, render: Render) -> None:
    check(render(f"--kube-version={version}.0", **values), version)


def made() -> list[Body]:
    """Return all children of the operator that are written down."""
    return [body for path in sorted(GOLDEN.glob("*.json")) for body in json.loads(path.read_text())]


@pytest.mark.parametrize("version", SUPPORTED)
def test_what_the_operator_makes(version: str) -> None:
    assert {each["kind"] for each in made()} == {"Job", *(each.kind for each in OBJECTS)}
    check(made(), version)


def examples() -> list[Body]:
    """Return the objects of the examples; a kustomization is none."""
    files = sorted((ROOT / "examples").rglob("*.yaml"))
    found = [body for path in files for body in yaml.safe_load_all(path.read_text())]
    return [each for each in found if each and "kind" in each and "name" in each.get("metadata", {})]


@pytest.mark.parametrize("version", SUPPORTED)
def test_examples(version: str) -> None:
    # what SOPS adds is gone once Flux has decrypted the object
    check([{name: part for name, part in each.items() if name != "sops"} for each in examples()], version)


def test_resources_of_the_examples() -> None:
    found = [each for each in examples() if each["apiVersion"] == API_VERSION]
    assert len(found) >= len(list((ROOT / "examples").glob("*.yaml")))
    for each in found:
        assert resource_faults(each) == []
        assert resource_faults({**each, "spec": {**each["spec"], "unheardOf": 1}})


@pytest.mark.parametrize("version", SUPPORTED)
def test_a_field_that_nobody_knows_is_found(version: str) -> None:
    for body in made():
        if not is_own(body):
            continue
        wrong = copy.deepcopy(body)
        wrong["spec"]["unheardOf"] = 1
        assert any("unheardOf" in each for each in faults(wrong, version)), body["kind"]
        wrong["spec"] = "text"
        assert faults(wrong, version), body["kind"]


def test_a_kind_that_nobody_has_is_an_error() -> None:
    with pytest.raises(LookupError, match=r"Kubernetes 1\.31 has no Deployment of apps/v1beta1"):
        faults({"kind": "Deployment", "apiVersion": "apps/v1beta1"}, OLDEST)
