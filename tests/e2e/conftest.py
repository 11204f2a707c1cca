"""End-to-end tests on a real cluster: `make deploy` first, then `pytest tests/e2e`.

CLUSTER says which: `embedded` (default), `kind`, or `current`, the user's own kube context. Resources have names of
their own per run and are deleted afterwards; what was uploaded to the store stays, by its hash.
"""

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from devcluster.paths import find_paths
from e2e.kube import diagnostics, release
from e2e.kube.cluster import Access, Cluster
from e2e.pods.client import POD, Client, client_pod
from e2e.pods.loops import PACKAGES, install_packages
from e2e.sources.models import factories_archive
from e2e.tenants.conversions import is_running
from e2e.tenants.stores import NamespaceStore, StorePort, Uploaded, secret_values
from e2e.tenants.tenant import Tenant, cleaned

FOLDER = Path(__file__).parent
A, B = "e2e-a", "e2e-b"
ORDER = (
    "main_job",
    "frameworks",
    "reuse",
    "serving",
    "autoscaling",
    "manifests",
    "failures",
    "isolation",
    "gitops",
    "disruption",
    "leader",
    "images",
    "demo",
    "helm",
)
"""Order of the files: what stops the operator comes after what needs it in peace, and what removes it last."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark everything here, as it is collected: `-m "not cluster"` is asked right after."""
    item.add_marker(pytest.mark.cluster)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what asks the cluster first, because it takes longest beside the rest; here in ORDER, in a file in any."""
    items.sort(key=_rank)  # stable


def _rank(item: pytest.Item) -> int:
    if FOLDER not in item.path.parents:
        return -1 if item.get_closest_marker("cluster") else len(ORDER)
    return next((rank for rank, word in enumerate(ORDER) if word in item.path.stem), 0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show status, children, Events and logs of every resource that a failed test looked at."""
    report = yield
    cluster = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and cluster:
        for namespace, name in list(cluster.touched)[-3:]:
            text = diagnostics.describe(cluster, "ModelConversion", name, namespace)
            report.sections.append((f"ModelConversion {namespace}/{name}", text))
    return report


@pytest.fixture(scope="session")
def access() -> Access:
    """Return how to reach the cluster that CLUSTER names."""
    kind = os.environ.get("CLUSTER", "embedded")
    if kind == "embedded":
        paths = find_paths()
        if not paths.admin_kubeconfig.exists():
            pytest.fail(f"expected the embedded cluster, found no {paths.admin_kubeconfig}; run `make deploy`")
        return Access(str(paths.binaries / "kubectl"), str(paths.binaries / "helm"), paths.admin_kubeconfig, None)
    kubeconfig = Path(os.environ.get("KUBECONFIG", Path.home() / ".kube/config"))
    context = f"kind-{os.environ.get('KIND_CLUSTER', 'modelport')}" if kind == "kind" else None
    return Access(shutil.which("kubectl") or "kubectl", shutil.which("helm") or "helm", kubeconfig, context)


@pytest.fixture(scope="session")
def _alone(access: Access) -> Iterator[None]:
    """Refuse a second run beside this one: some tests stop the operator, the store, or the API server."""
    with access.kubeconfig.with_suffix(".e2e").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pytest.exit(f"expected no other run of these tests on this cluster, found one ({lock.name} is held)", 1)
        yield


@pytest.fixture(scope="session")
def session_cluster(_alone: None, access: Access, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """Return the cluster, for fixtures that live longer than a test.

    What a run left that could not end in peace is deleted first: its pods hold what the node has for those of this run.
    """
    cluster = Cluster(access, tmp_path_factory.mktemp("discovery"))
    for namespace in (A, B):
        release.clear(cluster, namespace)
    return cluster


@pytest.fixture
def cluster(session_cluster: Cluster) -> Cluster:
    """Return the cluster; resources that the test looks at are shown when it fails."""
    session_cluster.touched.clear()
    return session_cluster


@pytest.fixture(scope="session")
def run_id() -> str:
    """Return what makes this run's names its own."""
    return secrets.token_hex(2)


@pytest.fixture(scope="session")
def images(session_cluster: Cluster) -> dict[str, str]:
    """Return the images that the operator uses, by name."""
    images: dict[str, str] = json.loads(release.images_config(session_cluster)["data"]["images.json"])
    return images


@pytest.fixture(scope="session")
def stores(session_cluster: Cluster) -> Iterator[dict[str, NamespaceStore]]:
    """Return the stores of both namespaces."""
    values = {namespace: secret_values(session_cluster, namespace) for namespace in (A, B)}
    port = StorePort(session_cluster, values[A]["AWS_ENDPOINT_URL"])
    yield {namespace: NamespaceStore(namespace, given, port) for namespace, given in values.items()}
    port.close()


@pytest.fixture(scope="session")
def clients(
    session_cluster: Cluster, images: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Client]]:
    """Return a client inside each namespace."""
    packages = tmp_path_factory.mktemp("packages")
    install_packages(packages)
    for namespace in (A, B):
        session_cluster.delete("Pod", POD, namespace, grace=0)
    for namespace in (A, B):
        session_cluster.wait_gone("Pod", POD, namespace)
        session_cluster.create(client_pod(namespace, images["server-onnxruntime"]))
    for namespace in (A, B):
        session_cluster.wait_for("Pod", POD, namespace, is_running, what="that the client runs")
        session_cluster.kubectl("cp", str(packages), f"{namespace}/{POD}:{PACKAGES}")
    yield {namespace: Client(session_cluster, namespace) for namespace in (A, B)}
    for namespace in (A, B):
        session_cluster.delete("Pod", POD, namespace, grace=0)


@pytest.fixture(scope="session")
def factories(stores: dict[str, NamespaceStore]) -> Uploaded:
    """Return the code archive with all factories, in namespace e2e-a."""
    return stores[A].upload("factories.zip", factories_archive())


@pytest.fixture(scope="session")
def make_tenant(
    session_cluster: Cluster,
    stores: dict[str, NamespaceStore],
    clients: dict[str, Client],
    factories: Uploaded,
    images: dict[str, str],
) -> Callable[[str], Tenant]:
    """Return what makes a tenant of a namespace."""

    def make(namespace: str) -> Tenant:
        store, client = stores[namespace], clients[namespace]
        return Tenant(session_cluster, store, client, factories=factories, images=images)

    return make


@pytest.fixture
def a(make_tenant: Callable[[str], Tenant], cluster: Cluster) -> Iterator[Tenant]:
    """Return namespace e2e-a; what is applied in it is deleted after the test."""
    with cleaned(make_tenant(A)) as tenant:
        yield tenant


@pytest.fixture
def b(make_tenant: Callable[[str], Tenant], cluster: Cluster) -> Iterator[Tenant]:
    """Return namespace e2e-b; what is applied in it is deleted after the test."""
    with cleaned(make_tenant(B)) as tenant:
        yield tenant


@pytest.fixture(scope="module")
def module_a(make_tenant: Callable[[str], Tenant]) -> Iterator[Tenant]:
    """Return namespace e2e-a; what is applied in it is deleted after the last test of the file."""
    with cleaned(make_tenant(A)) as tenant:
        yield tenant


@pytest.fixture
def name(request: pytest.FixtureRequest, run_id: str) -> str:
    """Return a name for the test's resource that says which test it belongs to."""
    words = request.node.originalname.removeprefix("test_").split("_")
    return f"{'-'.join(words)[:30].strip('-')}-{run_id}{secrets.token_hex(1)}"
