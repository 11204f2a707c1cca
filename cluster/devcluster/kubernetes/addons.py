"""What a cluster needs in itself before anybody uses it: DNS and a default StorageClass."""

import hashlib
from string import Template

from devcluster import binaries
from devcluster.images.scratch import provide_scratch_image
from devcluster.kubernetes.api import Api
from devcluster.kubernetes.configuration import PAUSE_IMAGE, resolver_file
from devcluster.kubernetes.volumes import PROVISIONER
from devcluster.machine import network
from devcluster.machine.commands import run
from devcluster.paths import SOURCE, Paths


def import_own_images(paths: Paths) -> str:
    """Make sure that containerd has the pause image and CoreDNS; return CoreDNS's name."""
    coredns, pause = binaries.build(paths, binaries.COREDNS, binaries.PAUSE)
    coredns_image = f"localhost/modelport-cluster/coredns:{coredns.name.rpartition('-')[2]}"
    provide_scratch_image(pause, PAUSE_IMAGE, paths)
    provide_scratch_image(coredns, coredns_image, paths)
    return coredns_image


def manifests_mark() -> str:
    """Return a value that changes when the manifests or CoreDNS do."""
    digest = hashlib.sha256(resolver_file().read_bytes() + binaries.module_key(binaries.CLUSTER).encode())
    for file in sorted((SOURCE / "manifests").glob("*.yaml")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def apply_manifests(paths: Paths, coredns_image: str) -> None:
    """Apply everything under manifests/, changed or not: the API server tells the difference."""
    values = {
        "coredns_image": coredns_image,
        "dns_address": network.DNS_ADDRESS,
        "domain": network.DOMAIN,
        "forward": forward_line(resolver_file().read_text()),
        "provisioner": PROVISIONER,
    }
    manifests = sorted((SOURCE / "manifests").glob("*.yaml"))
    text = "\n---\n".join(Template(file.read_text()).substitute(values) for file in manifests)
    kubectl = [str(paths.binaries / "kubectl"), f"--kubeconfig={paths.admin_kubeconfig}"]
    apply = ["apply", "--server-side", "--force-conflicts", "--field-manager=modelport-cluster", "-f", "-"]
    run([*kubectl, *apply], stdin=text)


def forward_line(resolver: str) -> str:
    """Forward other names to the host's name servers, unless those listen where no pod gets."""
    words = [line.split() for line in resolver.splitlines() if line.startswith("nameserver ")]
    reachable = [word[1] for word in words if len(word) > 1 and not word[1].startswith(("127.", "::1"))]
    return f"forward . {' '.join(reachable[:3])}" if reachable else ""


def node_is_ready(api: Api) -> bool:
    """Whether the node takes pods."""
    node = api.find(f"/api/v1/nodes/{network.NODE}")
    conditions = node["status"].get("conditions", []) if node else []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def dns_is_ready(api: Api) -> bool:
    """Whether the current CoreDNS answers."""
    deployment = api.find("/apis/apps/v1/namespaces/kube-system/deployments/coredns")
    if deployment is None:
        return False
    status = deployment["status"]
    current = status.get("observedGeneration") == deployment["metadata"]["generation"]
    return bool(current and status.get("availableReplicas") and not status.get("unavailableReplicas"))
