"""The release: an upgrade leaves serving pods untouched; what is served outlives the operator. Runs last."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chart.rendering import CHART, chart_of_version
from e2e.failures.failure_cases import apply_slow
from e2e.kube import release
from e2e.kube.diagnostics import SYSTEM
from e2e.pods.loops import check_unbroken
from e2e.sources.models import onnx_mlp
from e2e.tenants.conversions import Body, is_at, is_ready, jobs_selector
from e2e.tenants.tenant import ONE, Tenant

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


BEFORE = "0.0.9"
"""Version of the chart before this one: there is none yet, so this one under that version stands in for it."""
RENAMED = ("converter-onnx", "converter-pytorch", "server-onnxruntime")
"""Images that the test's conversions use: the release before had others."""


def _values_before(values: Body) -> Body:
    """Return values with what the release before had: the same images by other names, and no network policies."""
    images = dict(values["images"])
    for name in RENAMED:
        repository, _, digest = images[name].partition("@")
        images[name] = f"{repository}:before@{digest}"
    return values | {"images": images, "networkPolicies": {"enabled": False}}


@contextmanager
def _release_before(a: Tenant, folder: Path) -> Iterator[tuple[str, Body, Body]]:
    """Have the release before installed; yield the release's name, and its values as they are now and were then.

    What the block leaves is upgraded to this chart.
    """
    installed = release.installed(a.cluster)
    values: Body = json.loads(release.helm(a.cluster, "get", "values", installed, "--output=json"))
    before = _values_before(values)
    try:
        _upgrade(a, installed, chart_of_version(BEFORE, folder), before)
        yield installed, values, before
    finally:
        _upgrade(a, installed, CHART, values)


def _upgrade(a: Tenant, installed: str, chart: Path, values: Body) -> None:
    options = ("--values=-", "--wait", "--timeout=3m")
    release.helm(a.cluster, "upgrade", installed, str(chart), *options, text=json.dumps(values))
    release.wait_leader(a.cluster)


def _verified_by(body: Body | None) -> str:
    return str((body or {}).get("status", {}).get("verification", {}).get("image", ""))


def test_upgrade_from_the_release_before_during_a_conversion_and_under_load(
    name: str, a: Tenant, tmp_path: Path
) -> None:
    """The operator is made anew with other images while a model is converted and another answers."""
    slow, late = f"{name[:40]}-slow", f"{name[:40]}-late"
    with _release_before(a, tmp_path) as (installed, values, before):
        a.apply(name, a.source(MODEL), serving=ONE)
        assert _verified_by(a.ready(name)) == before["images"]["server-onnxruntime"]
        pods, operators = _server_pods(a, name), release.operator_pods(a.cluster)
        assert a.cluster.get("NetworkPolicy", name, a.namespace) is None
        with a.client.asking({name: MODEL}) as seen, a.recording_jobs(slow) as jobs:
            model = apply_slow(slow, a, 330)
            a.wait(slow, is_at("Converting"), what="Converting")
            _upgrade(a, installed, CHART, values)
            assert not operators.keys() & release.operator_pods(a.cluster).keys(), "the chart made a new operator"
            converted = a.ready(slow, seconds=240)
            a.apply(late, a.source(onnx_mlp(331)), serving=ONE)
            fresh = a.ready(late)
        assert len(jobs) == 2, jobs
        assert _verified_by(converted) == before["images"]["server-onnxruntime"], "the Job that ran went on"
        assert _verified_by(fresh) == values["images"]["server-onnxruntime"]
        assert _server_pods(a, name) == pods
        check_unbroken(seen[name], MODEL)
        a.check(slow, model)
        for each in (name, slow, late):
            assert a.cluster.get("NetworkPolicy", each, a.namespace), (
                "policies come with the upgrade, and change no pod"
            )
        assert a.cluster.get("NetworkPolicy", "modelport-operator", SYSTEM)


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
