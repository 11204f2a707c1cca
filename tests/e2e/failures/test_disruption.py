"""What goes away comes back: operator, API server, store, and resources that are deleted half-way."""

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from devcluster.paths import REPOSITORY, find_paths
from e2e.failures.failure_cases import apply_slow
from e2e.kube import release
from e2e.kube.cluster import CHILD_KINDS
from e2e.pods.loops import check_unbroken
from e2e.sources.models import Model, onnx_mlp
from e2e.tenants.conversions import condition, is_at, is_ready, jobs_selector
from e2e.tenants.tenant import ONE, Tenant
from modelport.api.reasons import Reason

STAGES = ("Importing", "Converting", "Verifying", "Deploying")
SLOW = {"Converting", "Verifying"}
"""Stages that a small model passes too fast to be met."""
RESYNC_SECONDS = "2"
RESYNCS = 10
SEEDS = itertools.count(200)


def _apply(name: str, a: Tenant) -> Model:
    """Apply a model that no other test has."""
    model = onnx_mlp(next(SEEDS))
    a.apply(name, a.source(model), serving=ONE)
    return model


@pytest.mark.parametrize("stage", STAGES)
def test_operator_killed_at_a_stage_finishes_without_a_second_job(stage: str, name: str, a: Tenant) -> None:
    with a.recording_jobs(name) as jobs:
        model = apply_slow(name, a, next(SEEDS)) if stage in SLOW else _apply(name, a)
        a.wait(name, is_at(stage), what=stage)
        release.kill_operator(a.cluster)
        a.ready(name)
    a.check(name, model)
    assert len(jobs) == 2, jobs
    assert a.jobs(name) == ["convert", "import"]
    for stage_of_job in ("import", "convert"):
        selector = f"{jobs_selector(name)},modelport.dev/stage={stage_of_job}"
        assert len(a.cluster.find("Pod", a.namespace, selector=selector)) == 1


@pytest.mark.parametrize("stage", STAGES)
def test_resource_deleted_at_a_stage_leaves_no_child(stage: str, name: str, a: Tenant) -> None:
    if stage in SLOW:
        apply_slow(name, a, next(SEEDS))
    else:
        _apply(name, a)
    a.wait(name, is_at(stage), what=stage)
    a.delete(name)


def test_api_server_killed_during_a_conversion(name: str, a: Tenant) -> None:
    if os.environ.get("CLUSTER", "embedded") != "embedded":
        pytest.skip("only the embedded cluster's API server may be killed")
    model = apply_slow(name, a, next(SEEDS))
    a.wait(name, is_at("Converting"), what="Converting")
    os.kill(_recorded_pid(find_paths().run / "processes"), signal.SIGKILL)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "cluster")}
    subprocess.run([sys.executable, "-m", "devcluster", "up"], env=environment, check=True, timeout=180)
    a.ready(name, seconds=180)
    a.check(name, model)
    assert a.jobs(name) == ["convert", "import"]


def _recorded_pid(records: Path) -> int:
    file = next(file for file in records.iterdir() if file.stem == "kube-apiserver")
    pid: int = json.loads(file.read_text())["pid"]
    assert b"kube-apiserver" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return pid


def test_store_that_goes_down_and_comes_back(name: str, a: Tenant) -> None:
    model = onnx_mlp(90)
    source = a.source(model)
    waiting = f"{name[:40]}-2"
    a.apply(name, source, serving=ONE)
    a.ready(name)
    with a.client.asking({name: model}) as seen:
        with release.store_down(a.cluster):
            a.apply(waiting, source, opset=16)  # its source is known: it is staged from the store
            body = a.failed(waiting, Reason.STORE_UNAVAILABLE)
            assert condition(body, "Reconciling")
        a.ready(waiting)
    check_unbroken(seen[name], model)
    assert is_ready(a.resource(name))


def test_steady_state_writes_nothing(name: str, a: Tenant) -> None:
    a.apply(name, a.source(onnx_mlp(92)), serving=ONE)
    a.ready(name)
    with release.resync(a.cluster, RESYNC_SECONDS):
        release.wait_reconciles(a.cluster, name, 2)  # the first one after a start may still have something to do
        before = _versions(a, name)
        release.wait_reconciles(a.cluster, name, RESYNCS)
        after = _versions(a, name)
    assert len(before) >= 7
    assert after == before


def _versions(a: Tenant, name: str) -> dict[str, str]:
    """Return the resourceVersions of a resource and of everything that was made for it."""
    found = [a.resource(name)]
    for kind in (*CHILD_KINDS, "ReplicaSet", "EndpointSlice"):
        found += a.cluster.find(kind, a.namespace, selector=jobs_selector(name))
    return {f"{body['kind']}/{body['metadata']['name']}": body["metadata"]["resourceVersion"] for body in found if body}
