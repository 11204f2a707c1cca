"""Who may connect to whom, by the policies of the chart and of the operator that it sets up, with plugins of both kinds.

That a network plugin enforces what stands there is not tested: the embedded cluster's enforces nothing.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from chart.connections import PLUGINS, Address, End, Network, Plugin, Pod
from chart.rendering import IMAGES, NAMESPACE, Body, only, pods
from modelport_operator import names
from modelport_operator.platforms import Platform
from modelport_operator.settings import read
from unit.operator.scenes import PYTORCH, converted, imported, plan_for, resource

Render = Callable[..., list[Body]]
TEAM = "team"
"""Namespace of the resource of these tests."""
OWN_STORE = {"enabled": True, "namespaces": [TEAM]}
OTHER_STORE = {"enabled": True, "namespaces": ["others"]}
HTTPS, S3, MINIO, DNS = 443, 8333, 9000, 53

ELSEWHERE: dict[str, End] = {
    "resolver": Pod("kube-system", {"k8s-app": "kube-dns"}, "10.244.0.3"),
    "node-local resolver": Address("169.254.20.10"),
    "minio": Pod("storage", {"app": "minio"}, "10.244.1.7"),
    "s3": Address("52.216.0.1"),
    "s3 by IPv6": Address("2600:1f60::1"),
    "metadata": Address("169.254.169.254"),
    "metadata by IPv6": Address("fd00:ec2::254"),
    "link": Address("fe80::1"),
    "api": Address("172.16.0.2"),
    "collector": Pod("monitoring", {"app": "collector"}, "10.244.1.8"),
    "prometheus": Pod("monitoring", {"app": "prometheus"}, "10.244.1.9"),
    "app": Pod("apps", {"app": "web"}, "10.244.1.10"),
    "ingress": Address("172.16.0.7"),
    "neighbour": Pod(TEAM, {"app": "trainer"}, "10.244.1.11"),
    "foreign job": Pod("others", names.labels("net", "Import"), "10.244.1.12"),
}


class Cluster(NamedTuple):
    """Pods and addresses by what they are called here, and all policies."""

    ends: dict[str, End]
    policies: list[Body]

    def allows(self, source: str, target: str, port: int, *, protocol: str = "TCP") -> set[bool]:
        """Return whether a connection is allowed, by any of the plugins."""
        ends = self.ends[source], self.ends[target]
        return {Network(self.policies, plugin).allows(*ends, port, protocol) for plugin in PLUGINS}


def platform_of(bodies: list[Body]) -> Platform:
    """Return what the operator that the chart sets up plans with."""
    (container,) = pods(bodies)["modelport-operator"]["spec"]["containers"]
    variables = {each["name"]: each.get("value", "") for each in container["env"]}
    return read(variables).platform(IMAGES)


def of_resource(platform: Platform) -> Iterator[Body]:
    """Yield all that is made for a resource from its first Job to its servers."""
    case = resource(PYTORCH)
    after_import, first = imported(case)
    done, jobs = converted(case)
    for plan in (
        plan_for(case, platform=platform),
        plan_for(after_import, first, platform=platform, stages=frozenset({"import"})),
        plan_for(done, *jobs, platform=platform, stages=frozenset({"convert"})),
    ):
        yield from (create.body for create in plan.create)


@pytest.fixture(scope="module")
def cluster(build: Callable[..., Cluster]) -> Cluster:
    """Return what the chart makes where the resource's store is its own."""
    return build(store=OWN_STORE)


@pytest.fixture(scope="module")
def build(render: Render) -> Callable[..., Cluster]:
    """Return what makes a cluster from values of the chart."""

    def run(**values: Any) -> Cluster:
        bodies = render(**values)
        made = list(of_resource(platform_of(bodies)))
        templates = {each["metadata"]["labels"][names.STAGE_LABEL]: each for each in made if "template" in each["spec"]}
        assert set(templates) == {"import", "convert", "serve"}
        own = {
            "server" if stage == "serve" else stage: Pod(TEAM, body["spec"]["template"]["metadata"]["labels"])
            for stage, body in templates.items()
        }
        charts = {
            name.removeprefix("modelport-"): Pod(NAMESPACE, template["metadata"]["labels"])
            for name, template in pods(bodies).items()
        }
        verify = {"verify": Pod(TEAM, names.labels("net", "Verify"))}
        policies = [each for each in (*bodies, *made) if each["kind"] == "NetworkPolicy"]
        return Cluster({**ELSEWHERE, **charts, **own, **verify}, policies)

    return run


WORKERS = ("import", "convert", "verify", "server")
ALWAYS = [
    *[(source, "resolver", DNS) for source in (*WORKERS, "operator")],
    *[(source, "resolver", 5353) for source in (*WORKERS, "operator")],
    *[(source, "node-local resolver", DNS) for source in (*WORKERS, "operator")],
    ("operator", "api", HTTPS),
    ("operator", "api", 6443),
    ("prometheus", "operator", 9090),
    ("ingress", "operator", 8080),  # the kubelet's probes, where a plugin asks for them at all
    ("prometheus", "server", 8080),
    ("app", "server", 8080),
    ("app", "server", 8081),
    ("ingress", "server", 8080),
    ("import", "minio", MINIO),
    ("import", "s3", HTTPS),
    ("import", "s3 by IPv6", HTTPS),
    ("import", "neighbour", 8000),
]
NEVER = [
    *[
        (source, target, port)
        for source in WORKERS
        for target in ("metadata", "metadata by IPv6", "link")
        for port in (80, HTTPS)
    ],
    *[(source, "server", 9999) for source in ("app", "prometheus", "convert")],
    *[("app", target, port) for target in ("import", "convert", "verify") for port in (80, 8080, 8081)],
    ("app", "operator", HTTPS),
    ("operator", "minio", MINIO),
    ("operator", "metadata", 80),
]
STORED = [(source, "store", S3) for source in WORKERS]
BEYOND_STORE = [
    (source, target, port)
    for source in ("convert", "verify", "server")
    for target, port in (
        ("s3", HTTPS),
        ("minio", MINIO),
        ("api", HTTPS),
        ("api", 6443),
        ("store", 9333),
        ("app", 80),
        ("operator", 9090),
    )
]
NO_CLIENTS = [(each, "store", S3) for each in ("app", "operator", "foreign job", "neighbour", "ingress")]
TO_NOBODY = [("store", target, HTTPS) for target in ("api", "s3", "minio", "metadata")]


@pytest.mark.parametrize(("source", "target", "port"), [*ALWAYS, *STORED])
def test_what_is_needed_is_allowed(source: str, target: str, port: int, cluster: Cluster) -> None:
    assert cluster.allows(source, target, port) == {True}


@pytest.mark.parametrize(("source", "target", "port"), [*NEVER, *BEYOND_STORE, *NO_CLIENTS, *TO_NOBODY])
def test_nothing_else_is(source: str, target: str, port: int, cluster: Cluster) -> None:
    assert cluster.allows(source, target, port) == {False}


def test_names_are_resolved_by_both_protocols(cluster: Cluster) -> None:
    for source in (*WORKERS, "operator"):
        assert cluster.allows(source, "resolver", DNS, protocol="UDP") == {True}


@pytest.mark.parametrize("source", WORKERS)
def test_a_store_that_the_chart_does_not_know_is_reached_wherever_it_is(
    source: str, build: Callable[..., Cluster]
) -> None:
    """The operator reads no Secrets; without values that say more, what is not known must not break a conversion."""
    for cluster in (build(), build(store=OTHER_STORE)):
        assert cluster.allows(source, "minio", MINIO) == {True}
        assert cluster.allows(source, "s3", HTTPS) == {True}
        assert cluster.allows(source, "metadata", 80) == {False}


def test_where_sources_and_store_are_can_be_said(build: Callable[..., Cluster]) -> None:
    minio = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "storage"}}}
    aws = {"ipBlock": {"cidr": "52.216.0.0/15"}}
    cluster = build(networkPolicies={"store": [minio], "sources": [aws]})
    for source in WORKERS:
        assert cluster.allows(source, "minio", MINIO) == {True}
        assert cluster.allows(source, "s3", HTTPS) == {source == "import"}
        assert cluster.allows(source, "app", HTTPS) == {False}


def test_blocks_of_addresses_can_be_left_out(build: Callable[..., Cluster]) -> None:
    cluster = build(networkPolicies={"except": ["172.16.0.0/24", "2600:1f60::/32"]})
    for source in WORKERS:
        assert cluster.allows(source, "api", HTTPS) == {False}
        assert cluster.allows(source, "s3", HTTPS) == {True}
        assert cluster.allows(source, "s3 by IPv6", HTTPS) == {False}
    assert build().allows("import", "api", HTTPS) == {True}, "nobody said where the API server is"
    assert cluster.allows("operator", "api", HTTPS) == {True}


def test_further_rules_resolvers_and_clients_are_let_through(build: Callable[..., Cluster]) -> None:
    proxy = {"to": [{"podSelector": {"matchLabels": {"app": "trainer"}}}], "ports": [{"port": 3128, "protocol": "TCP"}]}
    apps = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "apps"}}}
    given = {"egress": [proxy], "dns": [{"ipBlock": {"cidr": "172.16.0.7/32"}}], "storeClients": [apps]}
    cluster = build(store=OWN_STORE, networkPolicies=given | {"apiServerPorts": [3128]})
    for source in WORKERS:
        assert cluster.allows(source, "neighbour", 3128) == {True}
        assert cluster.allows(source, "ingress", DNS) == {True}
    assert cluster.allows("convert", "neighbour", 3129) == {False}
    assert cluster.allows("app", "store", S3) == {True}
    assert cluster.allows("neighbour", "store", S3) == {False}
    assert cluster.allows("operator", "neighbour", 3128) == {True}
    assert cluster.allows("operator", "api", HTTPS) == {False}


@pytest.mark.parametrize(
    ("endpoint", "reached"),
    [
        ("http://collector.monitoring.svc:4317", {"collector"}),
        ("http://collector.monitoring.svc.cluster.local.:4317", {"collector"}),
        ("http://collector:4317", {"neighbour"}),
        ("http://172.16.0.7:4317", {"ingress"}),
        ("https://[2600:1f60::1]:4317", {"s3 by IPv6"}),
        ("https://otlp.example.com", {"collector", "neighbour", "ingress", "s3", "s3 by IPv6", "app"}),
        ("", set()),
    ],
)
def test_servers_reach_where_telemetry_goes(endpoint: str, reached: set[str], build: Callable[..., Cluster]) -> None:
    cluster = build(store=OWN_STORE, serving={"telemetry": {"otlpEndpoint": endpoint}})
    ends = ("collector", "neighbour", "ingress", "s3", "s3 by IPv6", "app", "metadata")
    assert {each for each in ends if cluster.allows("server", each, 4317) == {True}} == reached
    assert not [each for each in ends if cluster.allows("convert", each, 4317) != {False}]


def test_policies_can_be_left_out(render: Render, build: Callable[..., Cluster]) -> None:
    cluster = build(store=OWN_STORE, networkPolicies={"enabled": False})
    assert cluster.policies == []
    assert cluster.allows("server", "metadata", 80) == {True}
    # nil as `helm upgrade --reuse-values` leaves a value that the release before did not know
    assert only(render(networkPolicies=None), "NetworkPolicy", "modelport-operator")
    assert build(store=OWN_STORE, networkPolicies=None).allows("server", "metadata", 80) == {False}


def test_a_store_without_clients_hears_nobody(render: Render) -> None:
    spec = only(render(store={"enabled": True}), "NetworkPolicy", "modelport-store")["spec"]
    assert "ingress" not in spec
    assert spec["policyTypes"] == ["Ingress", "Egress"]


@pytest.mark.parametrize("plugin", PLUGINS)
def test_pods_that_no_policy_is_about_do_as_they_like(plugin: Plugin, cluster: Cluster) -> None:
    ends = ELSEWHERE["neighbour"], ELSEWHERE["metadata"]
    assert Network(cluster.policies, plugin).allows(*ends, 80)


def test_pods_are_not_begun_before_their_policy(render: Render) -> None:
    kinds = [body["kind"] for body in of_resource(platform_of(render(store=OWN_STORE)))]
    assert kinds[0] == "NetworkPolicy"
    assert kinds.index("NetworkPolicy", kinds.index("Job")) < kinds.index("Deployment")
