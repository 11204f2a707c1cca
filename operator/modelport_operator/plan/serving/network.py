"""How requests reach the pods, and what these reach: the ports of servers, the Service, and the NetworkPolicy."""

from typing import Any

from modelport_operator.plan.bodies.metadata import metadata
from modelport_operator.plan.bodies.network_policies import needed, network_policy, ports, telemetry
from modelport_operator.plan.progress import Stage
from modelport_operator.plan.serving.served import Body, Served

PORTS = {"http": 8080, "grpc": 8081}
_SERVICE_PORTS = {"http": 80, "grpc": 8081}
_PROTOCOLS = {"http": "http", "grpc": "kubernetes.io/h2c"}


def service(served: Served) -> Body:
    """Return the Service."""
    return served.body("v1", "Service", {"selector": served.selector, "ports": [_port(name) for name in PORTS]})


def server_policy(served: Served) -> Body | None:
    """Return that whoever likes may ask the servers, and that these reach the store and where telemetry goes."""
    platform, namespace = served.platform, served.resource.metadata.namespace
    network = platform.network
    if network is None:
        return None
    told = telemetry(network, platform.otlp_endpoint, namespace=namespace, cluster_domain=platform.cluster_domain)
    return network_policy(
        metadata(served.resource, name=served.name, stage=Stage.SERVE),
        {"matchLabels": served.selector},
        ingress=[{"ports": ports(tuple(PORTS.values()))}],
        egress=[*needed(network, namespace), *told],
    )


def _port(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "port": _SERVICE_PORTS[name],
        "protocol": "TCP",
        "targetPort": name,
        "appProtocol": _PROTOCOLS[name],
    }
