"""The parts of the cluster: how each is started and how it says that it is well."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devcluster.kubernetes import health
from devcluster.machine.network import (
    API_PORT,
    API_URL,
    NODE,
    NODE_ADDRESS,
    PODS,
    SERVICES,
)
from devcluster.paths import Paths

_ETCD_URL = "https://127.0.0.1:12379"
_ETCD_PEER_URL = "https://127.0.0.1:12380"


@dataclass(frozen=True)
class Component:
    """One daemon. `inputs` are files whose change makes a restart necessary."""

    name: str
    command: tuple[str, ...]
    is_healthy: Callable[[], bool]
    inputs: tuple[Path, ...] = ()


def components(paths: Paths) -> tuple[Component, ...]:
    """All parts, in the order in which they need each other."""
    return (
        _containerd(paths),
        _etcd(paths),
        _apiserver(paths),
        _controller_manager(paths),
        _scheduler(paths),
        _kubelet(paths),
        _proxy(paths),
        _provisioner(paths),
    )


def _containerd(paths: Paths) -> Component:
    config = paths.configs / "containerd.toml"
    return Component(
        name="containerd",
        command=("containerd", "--config", str(config)),
        is_healthy=lambda: health.socket_answers(paths.containerd_socket),
        inputs=(config,),
    )


def _etcd(paths: Paths) -> Component:
    pki = paths.pki
    command = (
        "etcd",
        f"--data-dir={paths.state / 'etcd'}",
        f"--name={NODE}",
        "--unsafe-no-fsync",  # a power cut may cost the cluster, and that is only a test cluster
        f"--listen-client-urls={_ETCD_URL}",
        f"--advertise-client-urls={_ETCD_URL}",
        f"--listen-peer-urls={_ETCD_PEER_URL}",
        f"--initial-advertise-peer-urls={_ETCD_PEER_URL}",
        f"--initial-cluster={NODE}={_ETCD_PEER_URL}",
        f"--cert-file={pki}/etcd.crt",
        f"--key-file={pki}/etcd.key",
        f"--trusted-ca-file={pki}/ca.crt",
        "--client-cert-auth",
        f"--peer-cert-file={pki}/etcd.crt",
        f"--peer-key-file={pki}/etcd.key",
        f"--peer-trusted-ca-file={pki}/ca.crt",
        "--peer-client-cert-auth",
        "--auto-compaction-retention=1h",
    )
    return Component("etcd", command, lambda: health.says_ok(f"{_ETCD_URL}/health", pki))


def _apiserver(paths: Paths) -> Component:
    pki, policy = paths.pki, paths.configs / "audit-policy.yaml"
    command = (
        str(paths.binaries / "kube-apiserver"),
        f"--bind-address={NODE_ADDRESS}",
        f"--advertise-address={NODE_ADDRESS}",
        f"--secure-port={API_PORT}",
        f"--service-cluster-ip-range={SERVICES}",
        f"--etcd-servers={_ETCD_URL}",
        f"--etcd-cafile={pki}/ca.crt",
        f"--etcd-certfile={pki}/etcd-client.crt",
        f"--etcd-keyfile={pki}/etcd-client.key",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        f"--kubelet-client-certificate={pki}/kubelet-client.crt",
        f"--kubelet-client-key={pki}/kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-key-file={pki}/service-accounts.key",
        f"--service-account-signing-key-file={pki}/service-accounts.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction,OwnerReferencesPermissionEnforcement",
        "--allow-privileged",
        f"--requestheader-client-ca-file={pki}/ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki}/aggregator.crt",
        f"--proxy-client-key-file={pki}/aggregator.key",
        f"--audit-policy-file={policy}",
        f"--audit-log-path={paths.logs / 'audit.log'}",
        "--audit-log-maxsize=200",
        "--audit-log-maxbackup=2",
    )
    return Component("kube-apiserver", command, lambda: health.says_ok(f"{API_URL}/readyz", pki), (policy,))


def _controller_manager(paths: Paths) -> Component:
    pki = paths.pki
    command = (
        str(paths.binaries / "kube-controller-manager"),
        f"--kubeconfig={paths.kubeconfigs / 'kube-controller-manager.yaml'}",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={pki}/service-accounts.key",
        f"--root-ca-file={pki}/ca.crt",
        f"--cluster-signing-cert-file={pki}/ca.crt",
        f"--cluster-signing-key-file={pki}/ca.key",
        "--horizontal-pod-autoscaler-sync-period=5s",  # 15 s by default: tests of it wait for several
        "--kube-api-qps=100",  # of each controller; 20 by default, with which a Job costs a quarter of a second
        "--kube-api-burst=200",
    )
    return Component("kube-controller-manager", command, lambda: health.says_ok("https://127.0.0.1:10257/healthz"))


def _scheduler(paths: Paths) -> Component:
    command = (
        str(paths.binaries / "kube-scheduler"),
        f"--kubeconfig={paths.kubeconfigs / 'kube-scheduler.yaml'}",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
    )
    return Component("kube-scheduler", command, lambda: health.says_ok("https://127.0.0.1:10259/healthz"))


def _kubelet(paths: Paths) -> Component:
    config = paths.configs / "kubelet.yaml"
    command = (
        str(paths.binaries / "kubelet"),
        f"--config={config}",
        f"--kubeconfig={paths.kubeconfigs / 'kubelet.yaml'}",
        f"--root-dir={paths.state / 'kubelet'}",
        f"--cert-dir={paths.state / 'kubelet/pki'}",
        f"--hostname-override={NODE}",
        f"--node-ip={NODE_ADDRESS}",
    )
    cni = paths.configs / "cni/10-modelport.conflist"
    return Component("kubelet", command, lambda: health.says_ok("http://127.0.0.1:10248/healthz"), (config, cni))


def _proxy(paths: Paths) -> Component:
    command = (
        str(paths.binaries / "kube-proxy"),
        f"--kubeconfig={paths.kubeconfigs / 'kube-proxy.yaml'}",
        f"--hostname-override={NODE}",
        "--proxy-mode=iptables",
        f"--cluster-cidr={PODS}",
        # its own default of a second, with several Services at once, is longer than a Deployment waits to be available
        "--iptables-min-sync-period=0s",
        f"--bind-address={NODE_ADDRESS}",
        "--nodeport-addresses=primary",
        "--metrics-bind-address=127.0.0.1:10249",
        "--healthz-bind-address=127.0.0.1:10256",
        "--conntrack-max-per-core=0",
    )
    return Component("kube-proxy", command, lambda: health.says_ok("http://127.0.0.1:10256/healthz"))


def _provisioner(paths: Paths) -> Component:
    python = os.path.realpath(sys.executable)  # the same inside and outside of a virtual environment
    command = (python, "-m", "devcluster.kubernetes.provisioner", str(paths.volumes), str(paths.pki))
    sources = tuple(Path(__file__).with_name(f"{name}.py") for name in ("provisioner", "volumes", "api"))
    return Component("provisioner", command, lambda: True, sources)
