"""How requests reach the pods: the ports of servers, and the Service."""

from typing import Any

from modelport_operator.plan.serving.served import Body, Served

PORTS = {"http": 8080, "grpc": 8081}
_SERVICE_PORTS = {"http": 80, "grpc": 8081}
_PROTOCOLS = {"http": "http", "grpc": "kubernetes.io/h2c"}


def service(served: Served) -> Body:
    """Return the Service."""
    return served.body("v1", "Service", {"selector": served.selector, "ports": [_port(name) for name in PORTS]})


def _port(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "port": _SERVICE_PORTS[name],
        "protocol": "TCP",
        "targetPort": name,
        "appProtocol": _PROTOCOLS[name],
    }
