"""The configuration files of the components, rendered from configs/ into the state directory."""

from pathlib import Path
from string import Template

from devcluster.machine import network
from devcluster.paths import SOURCE, Paths

PAUSE_IMAGE = "localhost/modelport-cluster/pause:1"


def write_configs(paths: Paths) -> None:
    """Render every template; a component whose file changed is restarted by `up`."""
    values = template_values(paths)
    for template in sorted((SOURCE / "configs").iterdir()):
        target = paths.configs / template.name
        text = Template(template.read_text()).substitute(values)
        if not target.exists() or target.read_text() != text:
            target.write_text(text)
    cni = paths.configs / "cni"
    cni.mkdir(exist_ok=True)
    (cni / "10-modelport.conflist").write_bytes((paths.configs / "cni.json").read_bytes())


def template_values(paths: Paths) -> dict[str, str]:
    """Return what the templates may refer to."""
    return {
        "state": str(paths.state),
        "run": str(paths.run),
        "pki": str(paths.pki),
        "configs": str(paths.configs),
        "socket": str(paths.containerd_socket),
        "pause_image": PAUSE_IMAGE,
        "node_address": network.NODE_ADDRESS,
        "bridge": network.BRIDGE,
        "pods": network.PODS,
        "dns": network.DNS_ADDRESS,
        "domain": network.DOMAIN,
        "resolv_conf": str(resolver_file()),
    }


def resolver_file() -> Path:
    """Name servers that pods can reach: systemd's stub listens on the host's loopback only."""
    behind_stub = Path("/run/systemd/resolve/resolv.conf")
    return behind_stub if behind_stub.exists() else Path("/etc/resolv.conf")
