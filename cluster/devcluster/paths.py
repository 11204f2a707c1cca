"""Where everything lies: one place to look when a file is missing, one place to change.

*State* is the cluster (etcd's data, keys, images); *run* is what is worthless after a reboot
(sockets, process records); the *cache* outlives `down --purge`.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
REPOSITORY = SOURCE.parent


@dataclass(frozen=True)
class Paths:
    """All folders of one cluster."""

    state: Path
    run: Path
    cache: Path

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.state / "pki"

    @property
    def kubeconfigs(self) -> Path:
        """One kubeconfig per client of the API."""
        return self.state / "kubeconfigs"

    @property
    def admin_kubeconfig(self) -> Path:
        """The kubeconfig to hand to people and tests."""
        return self.kubeconfigs / "admin.yaml"

    @property
    def configs(self) -> Path:
        """Rendered configuration files of the components."""
        return self.state / "configs"

    @property
    def logs(self) -> Path:
        """One log per component, one per build."""
        return self.state / "logs"

    @property
    def binaries(self) -> Path:
        """Symlinks to the built programs, under the names they are called by."""
        return self.state / "bin"

    @property
    def volumes(self) -> Path:
        """The directories behind the persistent volumes."""
        return self.state / "volumes"

    @property
    def containerd_socket(self) -> Path:
        """Our own containerd, never Debian's service."""
        return self.run / "containerd.sock"

    def make(self) -> None:
        """Create the folders; keys and sockets are for this user only."""
        for folder in (self.state, self.run):
            folder.mkdir(parents=True, exist_ok=True, mode=0o711)
        for folder in (self.pki, self.kubeconfigs, self.run / "processes"):
            folder.mkdir(exist_ok=True, mode=0o700)
        for folder in (self.configs, self.logs, self.binaries, self.volumes, self.cache):
            folder.mkdir(parents=True, exist_ok=True)


def find_paths(environment: Mapping[str, str] = os.environ, home: Path | None = None) -> Paths:
    """Choose the folders from the environment.

    Run files lie under /run with a short name, because a socket's path has at most 107 bytes.
    """
    home = home or Path.home()
    cache = Path(environment.get("XDG_CACHE_HOME") or home / ".cache") / "modelport"
    chosen = environment.get("MODELPORT_CLUSTER_DIR")
    state = Path(chosen).resolve() if chosen else home / ".local/share/modelport/cluster"
    short = hashlib.sha256(str(state).encode()).hexdigest()[:8]
    return Paths(state=state, run=Path("/run/modelport") / short, cache=cache)
