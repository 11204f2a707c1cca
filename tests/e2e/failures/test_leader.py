"""Two operators: one works, the other takes over; what runs goes on, and nothing is begun a second time."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from e2e.failures.failure_cases import apply_slow
from e2e.kube import release
from e2e.kube.cluster import Cluster
from e2e.tenants.conversions import is_at, jobs_selector
from e2e.tenants.tenant import Tenant

SEED = 300


@pytest.fixture(scope="module", autouse=True)
def _two(session_cluster: Cluster) -> Iterator[None]:
    with release.operators(session_cluster, 2):
        yield


def test_leader_killed_during_conversions_loses_nothing(name: str, a: Tenant) -> None:
    names = [f"{name[:40]}-{number}" for number in range(2)]
    with ExitStack() as stack:
        jobs = {each: stack.enter_context(a.recording_jobs(each)) for each in names}
        models = {each: apply_slow(each, a, SEED + number) for number, each in enumerate(names)}
        a.wait(names[0], is_at("Converting"), what="Converting")
        pods = set(release.operator_pods(a.cluster).values())
        killed = release.kill_leader(a.cluster)
        assert release.wait_leader(a.cluster) in pods - {killed}, "who stood by takes over, before a new pod can"
        for each in names:
            a.ready(each, seconds=240)
    for each in names:
        a.check(each, models[each])
        assert len(jobs[each]) == 2, jobs[each]
        assert a.jobs(each) == ["convert", "import"]
        for stage in ("import", "convert"):
            selector = f"{jobs_selector(each)},modelport.dev/stage={stage}"
            assert len(a.cluster.find("Pod", a.namespace, selector=selector)) == 1


def test_standby_takes_over_in_a_rollout(name: str, a: Tenant) -> None:
    deployment = release.operator_deployment(a.cluster)
    before = release.operator_pods(a.cluster)
    with a.recording_jobs(name) as jobs:
        model = apply_slow(name, a, SEED + 10)
        a.wait(name, is_at("Converting"), what="Converting")
        a.cluster.kubectl("rollout", "restart", "-n", release.SYSTEM, f"deployment/{deployment}")
        release.wait_rollout(a.cluster, deployment)
        assert not before.keys() & release.operator_pods(a.cluster).keys()
        a.ready(name, seconds=180)
    a.check(name, model)
    assert len(jobs) == 2, jobs
