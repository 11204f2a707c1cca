"""The cluster's certificate authority, its certificates and the kubeconfigs made of them.

openssl makes them, because Python's standard library reads certificates but does not sign any.
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from devcluster.machine.commands import run
from devcluster.machine.network import API_SERVICE_ADDRESS, API_URL, DOMAIN, NODE, NODE_ADDRESS
from devcluster.machine.progress import step
from devcluster.paths import Paths

_DAYS = "3650"
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Certificate:
    """One leaf: `subject` is the Kubernetes user (CN) and its groups (O)."""

    name: str
    subject: str
    alternatives: str = ""


_API_NAMES = ",".join(
    [
        f"IP:{NODE_ADDRESS}",
        f"IP:{API_SERVICE_ADDRESS}",
        "IP:127.0.0.1",
        "DNS:localhost",
        "DNS:kubernetes",
        "DNS:kubernetes.default",
        "DNS:kubernetes.default.svc",
        f"DNS:kubernetes.default.svc.{DOMAIN}",
    ]
)
CLIENTS = (
    Certificate("admin", "/O=system:masters/CN=admin"),
    Certificate("kubelet", f"/O=system:nodes/CN=system:node:{NODE}"),
    Certificate("kube-controller-manager", "/CN=system:kube-controller-manager"),
    Certificate("kube-scheduler", "/CN=system:kube-scheduler"),
    Certificate("kube-proxy", "/CN=system:kube-proxy"),
    Certificate("provisioner", "/O=system:masters/CN=system:modelport-provisioner"),
)
_OTHERS = (
    Certificate("etcd", "/CN=etcd", "IP:127.0.0.1"),
    Certificate("etcd-client", "/CN=kube-apiserver-etcd-client"),
    Certificate("apiserver", "/CN=kube-apiserver", _API_NAMES),
    Certificate("kubelet-client", "/O=system:masters/CN=kube-apiserver-kubelet-client"),
    Certificate("kubelet-server", f"/CN={NODE}", f"IP:{NODE_ADDRESS},DNS:{NODE}"),
    Certificate("aggregator", "/CN=front-proxy-client"),
)


def make_certificates(paths: Paths) -> None:
    """Create what is missing, so that a command that was interrupted goes on where it stopped."""
    with step("making certificates", quiet_below=0.3):
        if not (paths.pki / "ca.crt").exists():
            _make_authority(paths.pki)
        if not (paths.pki / "service-accounts.key").exists():
            run(["openssl", "genrsa", "-out", str(paths.pki / "service-accounts.key"), "2048"])
        for certificate in (*CLIENTS, *_OTHERS):
            make_certificate(certificate, paths)
        for client in CLIENTS:
            _write_kubeconfig(client.name, paths)


def make_certificate(certificate: Certificate, paths: Paths) -> None:
    """Create a certificate of the cluster's authority if it is missing: NAME.crt and NAME.key."""
    if not (paths.pki / f"{certificate.name}.crt").exists():
        _sign(certificate, paths.pki)


def _make_authority(pki: Path) -> None:
    key, unfinished = pki / "ca.key", pki / "ca.crt.new"
    command = ["openssl", "req", "-x509", *_KEY, "-days", _DAYS, "-subj", "/CN=modelport-cluster"]
    run([*command, "-keyout", str(key), "-out", str(unfinished)])
    unfinished.rename(pki / "ca.crt")


def _sign(certificate: Certificate, pki: Path) -> None:
    key, request = pki / f"{certificate.name}.key", pki / f"{certificate.name}.csr"
    unfinished, extensions = pki / f"{certificate.name}.new", pki / f"{certificate.name}.ext"
    names = f"subjectAltName={certificate.alternatives}\n" if certificate.alternatives else ""
    extensions.write_text(f"extendedKeyUsage=clientAuth,serverAuth\n{names}")
    run(["openssl", "req", "-new", *_KEY, "-subj", certificate.subject, "-keyout", str(key), "-out", str(request)])
    authority = ["-CA", str(pki / "ca.crt"), "-CAkey", str(pki / "ca.key"), "-CAcreateserial"]
    signing = ["openssl", "x509", "-req", "-in", str(request), *authority, "-days", _DAYS]
    run([*signing, "-extfile", str(extensions), "-out", str(unfinished)])
    unfinished.rename(pki / f"{certificate.name}.crt")
    request.unlink()
    extensions.unlink()


def _write_kubeconfig(user: str, paths: Paths) -> None:
    def embed(name: str) -> str:
        return base64.b64encode((paths.pki / name).read_bytes()).decode()

    cluster = {"server": API_URL, "certificate-authority-data": embed("ca.crt")}
    credentials = {"client-certificate-data": embed(f"{user}.crt"), "client-key-data": embed(f"{user}.key")}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NODE, "cluster": cluster}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": NODE, "context": {"cluster": NODE, "user": user}}],
        "current-context": NODE,
    }
    file = paths.kubeconfigs / f"{user}.yaml"
    text = json.dumps(document, indent=2) + "\n"  # JSON is YAML, and the standard library writes it
    if not file.exists() or file.read_text() != text:
        file.touch(mode=0o600)
        file.write_text(text)
