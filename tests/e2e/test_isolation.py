"""Model files are hostile: what a factory can reach, who holds credentials, and what becomes of links it plants."""

import json

import pytest

from e2e.conftest import A
from e2e.failures.failure_cases import Given
from e2e.kube.cluster import Body, Cluster
from e2e.sources.models import torch_mlp
from e2e.tenants.conversions import is_ready, is_stalled, jobs_selector
from e2e.tenants.tenant import ONE, Tenant

WITH_CREDENTIALS = {"fetch", "keep", "stage", "publish"}
ATTEMPTS = (
    "connect to the API server",
    "TCP socket",
    "UDP socket",
    "TCP6 socket",
    "netlink socket",
    "read credentials",
    "read the token",
    "keys in environments",
    "replace the request's source",
    "replace stage's result",
    "remove stage's files",
    "write judge's files",
    "write publish's files",
    "write the root file system",
    "become root",
)
"""What `hostile:probe` tries."""
OWN_VOLUMES = {"server": {"serve"}, "hop-1": {"ask", "hop-1"}}
"""Where they are not the one of the container's name; ask shares the first hop's container."""
EVERY_STEP = WITH_CREDENTIALS | {"inspect", "hop-1", "try", "judge", "server"}


@pytest.fixture(scope="module")
def probe(module_a: Tenant, run_id: str) -> Body:
    """Serve a model whose factory tries everything, and return the resource."""
    name = f"probe-{run_id}"
    source = Given(module_a.store, module_a.factories).torch("hostile:probe", torch_mlp(80).content)
    module_a.apply(name, source, serving=ONE)
    return module_a.ready(name, seconds=180)


@pytest.fixture(scope="module")
def pods(probe: Body, session_cluster: Cluster) -> list[Body]:
    """Return all pods of the probe: import, convert, serve."""
    found = session_cluster.find("Pod", A, selector=jobs_selector(probe["metadata"]["name"]))
    assert {step for pod in found for step in _containers(pod)} >= EVERY_STEP
    return found


def _containers(pod: Body) -> dict[str, Body]:
    spec = pod["spec"]
    return {each["name"]: each for each in [*spec.get("initContainers", []), *spec["containers"]]}


@pytest.fixture(scope="module")
def outcome(probe: Body, pods: list[Body], session_cluster: Cluster) -> dict[str, str]:
    """Return what came of each attempt of the factory."""
    pod = next(pod for pod in pods if "hop-1" in _containers(pod))
    log = session_cluster.logs(pod["metadata"]["name"], A, "hop-1")
    line = next(line for line in log.splitlines() if "PROBE " in line)
    found: dict[str, str] = json.loads(line.partition("PROBE ")[2])
    assert found.keys() == set(ATTEMPTS)
    return found


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_factory_cannot(attempt: str, outcome: dict[str, str]) -> None:
    assert outcome[attempt].startswith("refused:"), outcome


def test_only_steps_that_move_bytes_hold_credentials(pods: list[Body]) -> None:
    for pod in pods:
        secrets = {volume["name"] for volume in pod["spec"].get("volumes", []) if "Secret" in json.dumps(volume)}
        secrets |= {volume["name"] for volume in pod["spec"].get("volumes", []) if "secret" in volume}
        for name, container in _containers(pod).items():
            mounted = {mount["name"] for mount in container.get("volumeMounts", [])} & secrets
            assert not mounted or name in WITH_CREDENTIALS, f"{name} mounts {mounted}"
            assert "secretKeyRef" not in json.dumps(container)
            assert "secretRef" not in json.dumps(container.get("envFrom", []))


def test_pods_are_restricted_and_have_no_token(pods: list[Body]) -> None:
    for pod in pods:
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert not [volume for volume in spec.get("volumes", []) if "projected" in volume]
        for name, container in _containers(pod).items():
            context = spec.get("securityContext", {}) | container["securityContext"]
            assert context["runAsNonRoot"] is True, name
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["capabilities"]["drop"] == ["ALL"], name
            assert context["seccompProfile"]["type"] == "RuntimeDefault", name
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), name
            assert "memory" in container["resources"]["limits"], name


def test_each_step_writes_nothing_but_its_own_volume(pods: list[Body]) -> None:
    for pod in pods:
        for name, container in _containers(pod).items():
            for mount in container.get("volumeMounts", []):
                path = mount["mountPath"]
                if path.startswith("/work/") and path.removeprefix("/work/") not in OWN_VOLUMES.get(name, {name}):
                    assert mount.get("readOnly") is True, f"{name} may write {path}"


def test_link_that_is_planted_beside_the_model_is_not_followed(name: str, a: Tenant) -> None:
    a.apply(name, Given(a.store, a.factories).torch("hostile:plants_links", torch_mlp(81).content))
    a.wait(name, lambda body: is_ready(body) or is_stalled(body), what="Ready or Stalled: both are safe", seconds=180)
    pod = a.cluster.find("Pod", A, selector=f"{jobs_selector(name)},modelport.dev/stage=convert")[0]
    assert "PLANTED" in a.cluster.logs(pod["metadata"]["name"], A, "hop-1"), "the attack was made"
    secret = a.store.values["AWS_SECRET_ACCESS_KEY"].encode()
    published = a.store.objects("artifacts") | a.store.objects("sources")
    assert published
    assert not [path for path, content in published.items() if secret in content]


def test_credentials_are_in_no_log_event_or_status(probe: Body, pods: list[Body], a: Tenant) -> None:
    texts = [json.dumps(probe), json.dumps(a.cluster.find("Event", A)), json.dumps(a.cluster.find("Job", A))]
    for pod in pods:
        texts += [a.cluster.logs(pod["metadata"]["name"], A, container) for container in _containers(pod)]
    key = a.store.values["AWS_SECRET_ACCESS_KEY"]
    assert len(key) > 12
    assert not [text for text in texts if key in text]
