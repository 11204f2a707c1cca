"""The engines' manifests, brought together in one folder that `kubectl apply -k` takes.

KEDA's and metrics-server's own come out of their Go modules, because there is no other place that is locked by go.sum.
"""

import base64
import shutil
from pathlib import Path
from string import Template

from devcluster.engines import programs
from devcluster.kubernetes.certificates import Certificate, make_certificate
from devcluster.machine.network import DOMAIN
from devcluster.paths import Paths

_KUSTOMIZATION = "kustomization.yaml"
_MODULES = {
    "keda": (programs.KEDA_MODULE, "config"),
    "metrics-server": (programs.METRICS_SERVER_MODULE, "manifests"),
}
"""Where each engine's own manifests are in its Go module."""
_CERTIFICATES = {
    # one for the operator and the adapter, which know each other by it
    "keda": Certificate("keda", "/CN=keda", f"DNS:keda-operator.keda.svc.{DOMAIN},DNS:keda-metrics-apiserver.keda.svc"),
    "metrics-server": Certificate("metrics-server", "/CN=metrics-server", "DNS:metrics-server.kube-system.svc"),
}


def assemble(folder: Path, paths: Paths, *, tag: str, prometheus: str) -> None:
    """Write everything to `folder`, which is for root alone: there are keys in it.

    `tag` is the one of the programs' images, `prometheus` the image's reference by digest.
    """
    unfinished = folder.with_suffix(".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    shutil.copytree(programs.ENGINES, unfinished, dirs_exist_ok=True, ignore=shutil.ignore_patterns("go", "Dockerfile"))
    unfinished.chmod(0o700)
    values = _values(paths, tag, prometheus)
    for file in unfinished.rglob(_KUSTOMIZATION):
        file.write_text(Template(file.read_text()).substitute(values))
    for engine, (module, manifests) in _MODULES.items():
        _copy_manifests(programs.source_folder(module) / manifests, unfinished / "modules" / engine / manifests)
    for engine, certificate in _CERTIFICATES.items():
        make_certificate(certificate, paths)
        for source, target in (("ca.crt", "ca.crt"), (f"{engine}.crt", "tls.crt"), (f"{engine}.key", "tls.key")):
            shutil.copy(paths.pki / source, unfinished / engine / target)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


def _values(paths: Paths, tag: str, prometheus: str) -> dict[str, str]:
    name, _, digest = prometheus.partition("@")
    return {
        "ca": base64.b64encode((paths.pki / "ca.crt").read_bytes()).decode(),
        "engines_tag": tag,
        "keda_name": programs.image_name(programs.KEDA),
        "adapter_name": programs.image_name(programs.ADAPTER),
        "metrics_server_name": programs.image_name(programs.METRICS_SERVER),
        "prometheus_name": name,
        "prometheus_digest": digest,
    }


def _copy_manifests(source: Path, target: Path) -> None:
    """Copy files alone: folders of the module cache are read-only, and would never be removed again."""
    for file in source.rglob("*.yaml"):
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
