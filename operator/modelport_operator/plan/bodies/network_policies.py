"""Which connections pods may have, as NetworkPolicies. Whether they hold is up to the cluster's network plugin.

Policies add up: a pod that one of them selects has what any of them allows, and nothing else.
"""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from modelport_operator.platforms import Network

Rule = dict[str, Any]

STORE = {"app.kubernetes.io/name": "modelport", "app.kubernetes.io/component": "store"}
"""Labels of the pods of the chart's store."""
STORE_PORT = 8333
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
METADATA = ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128")
"""Where clouds tell a node's pods who the node is."""
_EVERYWHERE = {4: "0.0.0.0/0", 6: "::/0"}
_NODES_DNS = ("169.254.20.10/32", "169.254.169.254/32")
"""NodeLocal DNSCache, and the DNS of GKE, which shares its address with the metadata."""
_DNS_PORTS = (53, 5353)
"""What resolvers listen on: rules are about the ports of pods, not of Services; OpenShift's is the second."""


def network_policy(meta: Rule, selector: Rule, *, egress: list[Rule], ingress: list[Rule] | None = None) -> Rule:
    """Return a NetworkPolicy that lets pods have these connections alone."""
    spec: Rule = {"podSelector": selector, "policyTypes": ["Ingress", "Egress"], "egress": egress}
    # the API server leaves empty lists out
    spec |= {"ingress": ingress} if ingress else {}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}


def ports(numbers: tuple[int, ...], protocols: tuple[str, ...] = ("TCP",)) -> list[Rule]:
    """Return ports of pods."""
    return [{"port": number, "protocol": protocol} for number in numbers for protocol in protocols]


def needed(network: Network, namespace: str) -> list[Rule]:
    """Return where all pods of resources in a namespace connect to: resolvers, the store, and what the chart adds."""
    resolvers = [{"namespaceSelector": {}}, *({"ipBlock": {"cidr": each}} for each in _NODES_DNS), *network.dns]
    names = {"to": resolvers, "ports": ports(_DNS_PORTS, ("UDP", "TCP"))}
    return [names, _store(network, namespace), *network.egress]


def sources(network: Network) -> Rule:
    """Return where the files of sources may be: anywhere, the cluster's pods included, if the chart does not say."""
    return {"to": network.sources or _anywhere(network)}


def telemetry(network: Network, endpoint: str, *, namespace: str, cluster_domain: str) -> list[Rule]:
    """Return the way to where telemetry is sent, by the host of its URL; none without one."""
    host = urlsplit(endpoint).hostname or ""
    if not host:
        return []
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return [{"to": [{"ipBlock": {"cidr": f"{address}/{address.max_prefixlen}"}}]}]
    match host.removesuffix(".").removesuffix(f".{cluster_domain}").split("."):
        case [_service]:
            return [{"to": [_namespace(namespace)]}]
        case [_service, other, "svc"]:
            return [{"to": [_namespace(other)]}]
        case _:
            return [{"to": _anywhere(network)}]


def _store(network: Network, namespace: str) -> Rule:
    """Return the way to the store, which a Secret names that the operator does not read: the chart knows of its own."""
    if namespace in network.store_namespaces:
        store = _namespace(network.namespace) | {"podSelector": {"matchLabels": STORE}}
        return {"to": [store], "ports": ports((STORE_PORT,))}
    return {"to": network.store or _anywhere(network)}


def _namespace(name: str) -> Rule:
    return {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: name}}}


def _anywhere(network: Network) -> list[Rule]:
    """Return all pods, and all addresses but those of metadata and those that the chart leaves out.

    Pods stand by themselves: to some plugins an address is never that of a pod.
    """
    left_out = [*METADATA, *network.left_out]
    blocks = [
        {
            "cidr": cidr,
            "except": [each for each in left_out if ipaddress.ip_network(each, strict=False).version == version],
        }
        for version, cidr in _EVERYWHERE.items()
    ]
    return [{"namespaceSelector": {}}, *({"ipBlock": each} for each in blocks)]
