"""The release: an upgrade leaves serving pods untouched; what is served outlives the operator. Runs last."""

import json
from pathlib import Path
from typing import Any

from e2e.kube import release
from e2e.pods.loops import check_unbroken
from e2e.sources.models import onnx_mlp
from e2e.tenants.conversions import is_ready, jobs_selector
from e2e.tenants.tenant import ONE, Tenant

CHART = Path(__file__).parents[2] / "charts/modelport"
MODEL = onnx_mlp(97)
OTHER_SETTINGS = (
    "--set",
    "operator.logLevel=DEBUG,serving.telemetry.otlpEndpoint=http://nowhere.invalid:4318,imagePullSecrets[0].name=nothing",
)
"""For the operator, and for the pods that it makes from then on."""


def _server_pods(a: Tenant, name: str) -> dict[str, int]:
    """Return uid and restarts of the pods that serve a resource."""
    pods = a.cluster.find("Pod", a.namespace, selector=f"{jobs_selector(name)},modelport.dev/stage=serve")
    assert pods
    return {
        pod["metadata"]["uid"]: sum(state["restartCount"] for state in pod["status"]["containerStatuses"])
        for pod in pods
    }


def test_upgrade_leaves_serving_pods_untouched(name: str, a: Tenant) -> None:
    installed = release.installed(a.cluster)
    a.apply(name, a.source(MODEL), serving=ONE)
    a.ready(name)
    pods, operators = _server_pods(a, name), release.operator_pods(a.cluster)
    with a.client.asking({name: MODEL}) as seen:
        release.helm(
            a.cluster, "upgrade", installed, str(CHART), "--reuse-values", *OTHER_SETTINGS, "--wait", "--timeout=2m"
        )
        assert not operators.keys() & release.operator_pods(a.cluster).keys(), "the settings made a new operator"
        release.wait_leader(a.cluster)
        a.look_again(name)
        a.apply(f"{name[:40]}-2", a.source(onnx_mlp(98)))
        a.ready(f"{name[:40]}-2")  # the new operator works, and has looked at everything
        release.helm(a.cluster, "rollback", installed, "--wait", "--timeout=2m")
        release.wait_leader(a.cluster)
    assert _server_pods(a, name) == pods
    assert is_ready(a.resource(name))
    check_unbroken(seen[name], MODEL)


def test_uninstalling_and_installing_leaves_served_models(name: str, a: Tenant) -> None:
    installed = release.installed(a.cluster)
    a.apply(name, a.source(MODEL), serving=ONE)
    a.ready(name)
    pods = _server_pods(a, name)
    values: dict[str, Any] = json.loads(release.helm(a.cluster, "get", "values", installed, "--output=json"))
    with a.client.asking({name: MODEL}) as seen:
        release.helm(a.cluster, "uninstall", installed, "--wait", "--timeout=2m")
        assert a.cluster.get("CustomResourceDefinition", "modelconversions.modelport.dev"), "the chart keeps the CRD"
        assert is_ready(a.resource(name)), "nothing writes to the resource when the operator goes"
        release.helm(
            a.cluster,
            "install",
            installed,
            str(CHART),
            "--values=-",
            "--wait",
            "--timeout=3m",
            text=json.dumps(values),
        )
        a.look_again(name)
        a.apply(f"{name[:40]}-2", a.source(onnx_mlp(99), digest=None))
        a.ready(f"{name[:40]}-2", seconds=180)
    assert _server_pods(a, name) == pods
    check_unbroken(seen[name], MODEL)
