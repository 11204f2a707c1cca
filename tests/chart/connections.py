"""Which connections NetworkPolicies allow: the semantics of networking.k8s.io/v1, for pods and addresses of a test."""

import ipaddress
from typing import Any, NamedTuple

Body = dict[str, Any]


class Pod(NamedTuple):
    """A pod as policies see it."""

    namespace: str
    labels: dict[str, str]
    address: str = "10.244.0.9"


class Address(NamedTuple):
    """Something that is no pod of the cluster, or one with its node's network."""

    address: str


End = Pod | Address


class Plugin(NamedTuple):
    """What the specification leaves to network plugins."""

    blocks_have_pods: bool
    """Whether a block of addresses is about pods, too."""


PLUGINS = (Plugin(blocks_have_pods=True), Plugin(blocks_have_pods=False))


class Network(NamedTuple):
    """Policies, and the plugin that goes by them."""

    policies: list[Body]
    plugin: Plugin

    def allows(self, source: End, target: End, port: int, protocol: str = "TCP") -> bool:
        """Return whether `source` may connect to a port of `target`: both ends must let it."""
        wanted = (port, protocol)
        return self._lets("egress", source, target, wanted) and self._lets("ingress", target, source, wanted)

    def _lets(self, side: str, own: End, other: End, port: tuple[int, str]) -> bool:
        if isinstance(own, Address):
            return True
        word = "to" if side == "egress" else "from"
        specs = [each["spec"] for each in self.policies if _is_about(each, side, own)]
        rules = [rule for spec in specs for rule in spec.get(side, [])]
        for rule in rules:
            assert rule.keys() <= {word, "ports"}, rule
        return not specs or any(
            _has_port(rule, port) and self._has_peer(rule.get(word, []), own.namespace, other) for rule in rules
        )

    def _has_peer(self, peers: list[Body], namespace: str, other: End) -> bool:
        return not peers or any(self._is(each, namespace, other) for each in peers)

    def _is(self, peer: Body, namespace: str, other: End) -> bool:
        if block := peer.get("ipBlock"):
            assert peer.keys() == {"ipBlock"}, "a block stands alone"
            return (self.plugin.blocks_have_pods or isinstance(other, Address)) and _within(block, other.address)
        if isinstance(other, Address):
            return False
        assert peer.keys() <= {"namespaceSelector", "podSelector"}, peer
        home = {"kubernetes.io/metadata.name": other.namespace}
        selects = peer.get("namespaceSelector")
        is_there = other.namespace == namespace if selects is None else _chosen(selects, home)
        return is_there and _chosen(peer.get("podSelector", {}), other.labels)


def _is_about(policy: Body, side: str, pod: Pod) -> bool:
    spec = policy["spec"]
    here = policy["metadata"]["namespace"] == pod.namespace
    return here and side.capitalize() in spec["policyTypes"] and _chosen(spec["podSelector"], pod.labels)


def _has_port(rule: Body, port: tuple[int, str]) -> bool:
    ports = [(each["port"], each["protocol"]) for each in rule.get("ports", [])]
    return not ports or port in ports


def _within(block: Body, address: str) -> bool:
    wanted = ipaddress.ip_address(address)
    for each in block.get("except", []):
        outer, inner = ipaddress.ip_network(block["cidr"]), ipaddress.ip_network(each)
        is_part = inner.version == outer.version and inner.prefixlen > outer.prefixlen and inner[0] in outer
        assert is_part, f"{each}: the API server asks for a part of {outer}"
    left_out = any(wanted in ipaddress.ip_network(each) for each in block.get("except", []))
    return wanted in ipaddress.ip_network(block["cidr"]) and not left_out


def _chosen(selector: Body, labels: dict[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels", "matchExpressions"}, selector
    expressions = selector.get("matchExpressions", [])
    assert all(each["operator"] == "In" for each in expressions), selector
    named = selector.get("matchLabels", {}).items() <= labels.items()
    return named and all(labels.get(each["key"]) in each["values"] for each in expressions)
