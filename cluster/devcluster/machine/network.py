"""The cluster's addresses, and the little that the host's network needs for them.

The node has an address of its own on the loopback interface. Everything listens there or on
127.0.0.1, so pods reach the API server and the node through the bridge, nothing outside the machine
reaches either, and the cluster does not care whether the machine has a network or changes it.
"""

import subprocess
from pathlib import Path

from devcluster.machine.commands import run

NODE = "modelport"
NODE_ADDRESS = "10.95.0.1"
API_PORT = 6443
API_URL = f"https://{NODE_ADDRESS}:{API_PORT}"
PODS = "10.244.0.0/16"
SERVICES = "10.96.0.0/16"
API_SERVICE_ADDRESS = "10.96.0.1"
DNS_ADDRESS = "10.96.0.10"
DOMAIN = "cluster.local"
BRIDGE = "modelport0"

_COMMENT = ("-m", "comment", "--comment", "modelport cluster")
# A Service's address that kube-proxy does not know (yet) leads out of the machine, where anything may answer, and
# the API server keeps that connection for good. The last rule of a chain is put in front of those before it.
_REFUSE_SERVICES = ("-d", SERVICES, *_COMMENT, "-j", "REJECT")
# Forwarding is accepted by rules of our own, because docker sets the chain's policy to DROP.
_RULES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("nat", "POSTROUTING", ("-s", PODS, "!", "-d", PODS, "!", "-o", BRIDGE, *_COMMENT, "-j", "MASQUERADE")),
    ("filter", "FORWARD", ("-i", BRIDGE, *_COMMENT, "-j", "ACCEPT")),
    ("filter", "FORWARD", ("-o", BRIDGE, *_COMMENT, "-j", "ACCEPT")),
    ("filter", "FORWARD", _REFUSE_SERVICES),
    ("filter", "OUTPUT", _REFUSE_SERVICES),
)
# The kubelet never takes these away; one of another Kubernetes would put them back within a minute.
_KUBELET_CLEANUP = tuple(
    ["iptables", "-w", *words]
    for words in (
        ("-D", "INPUT", "-j", "KUBE-FIREWALL"),
        ("-D", "OUTPUT", "-j", "KUBE-FIREWALL"),
        ("-F", "KUBE-FIREWALL"),
        ("-X", "KUBE-FIREWALL"),
        ("-t", "mangle", "-X", "KUBE-KUBELET-CANARY"),
        ("-t", "filter", "-X", "KUBE-KUBELET-CANARY"),
        ("-t", "nat", "-X", "KUBE-KUBELET-CANARY"),
    )
)


def prepare_network() -> None:
    """Add the node's address, forwarding and our iptables rules where they are missing."""
    run(["ip", "address", "replace", f"{NODE_ADDRESS}/32", "dev", "lo"])
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    bridged = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    if not bridged.exists():
        subprocess.run(["modprobe", "br_netfilter"], check=False, capture_output=True)
    if bridged.exists():
        bridged.write_text("1")
    for table, chain, rule in _RULES:
        if not _has(table, chain, rule):
            run(["iptables", "-w", "-t", table, "-I", chain, *rule])


def remove_network() -> None:
    """Take away what prepare_network and the bridge plugin added; what is gone already is fine."""
    for table, chain, rule in _RULES:
        while _has(table, chain, rule):
            run(["iptables", "-w", "-t", table, "-D", chain, *rule])
    for command in (
        *_KUBELET_CLEANUP,
        ["ip", "link", "delete", BRIDGE],
        ["ip", "address", "delete", f"{NODE_ADDRESS}/32", "dev", "lo"],
    ):
        subprocess.run(command, check=False, capture_output=True)


def _has(table: str, chain: str, rule: tuple[str, ...]) -> bool:
    command = ["iptables", "-w", "-t", table, "-C", chain, *rule]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
