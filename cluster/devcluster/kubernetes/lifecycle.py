"""`up` and `down`: the story of the cluster, told in the order in which it happens."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from devcluster import binaries
from devcluster.errors import ApiError, CommandFailedError, ComponentFailedError, MissingPrerequisiteError
from devcluster.images.containers import kill_all_tasks
from devcluster.kubernetes import addons, health
from devcluster.kubernetes.api import Api
from devcluster.kubernetes.certificates import make_certificates
from devcluster.kubernetes.components import Component, components
from devcluster.kubernetes.configuration import write_configs
from devcluster.machine import leftovers, processes
from devcluster.machine.commands import run
from devcluster.machine.locks import locked
from devcluster.machine.network import prepare_network, remove_network
from devcluster.machine.packages import install_packages
from devcluster.machine.progress import say, step
from devcluster.machine.side_by_side import Start, Task, side_by_side
from devcluster.paths import SOURCE, Paths

_HEALTH_SECONDS = 90.0
_PATIENCE_SECONDS = 15.0
_POLL_SECONDS = 0.1
_LOG_LINES = 25


def up(paths: Paths) -> None:
    """Bring the cluster up from whatever state the machine is in."""
    with changing(paths), side_by_side() as start:
        start_cluster(start, paths)
    say(f"the cluster is up; kubeconfig: {paths.admin_kubeconfig}")


@contextmanager
def changing(paths: Paths) -> Iterator[None]:
    """Hold the cluster for this command alone, as root and with its folders made."""
    require_root()
    paths.make()
    with locked(paths.run / "up.lock", "the cluster"):
        yield


class ClusterTasks(NamedTuple):
    """What other tasks may wait for, in the order in which it is reached."""

    packages: Task
    containerd: Task
    cluster: Task


def start_cluster(start: Start, paths: Paths) -> ClusterTasks:
    """Start what brings the cluster up; containerd runs long before Kubernetes is compiled."""
    packages = start("Debian packages", install_packages)
    programs = start(
        "Go programs", binaries.build, paths, binaries.KUBE, binaries.COREDNS, binaries.PAUSE, binaries.HELM
    )
    containerd = start("containerd", _start_containerd, paths, after=[packages])
    cluster = start("Kubernetes", _start_kubernetes, paths, containerd, after=[containerd, programs])
    return ClusterTasks(packages, containerd, cluster)


def _start_containerd(paths: Paths) -> str | None:
    leftovers.forget_earlier_boot(paths)
    make_certificates(paths)
    write_configs(paths)
    prepare_network()
    return _ensure(components(paths)[0], paths)


def _start_kubernetes(paths: Paths, containerd: Task) -> None:
    started = [containerd.result(), *(_ensure(part, paths) for part in components(paths)[1:])]
    with step("waiting for the node", quiet_below=0.5):
        api = Api(paths.pki)
        _wait_until(lambda: addons.node_is_ready(api), "the node to be Ready", paths)
    _provide_addons(api, paths, restarted=any(started))


def down(paths: Paths, *, purge: bool) -> None:
    """Stop what `up` started and take its traces from the machine."""
    with changing(paths):
        with step("stopping the cluster"):
            _stop_all(paths)
        if purge:
            with step("deleting the state"):
                shutil.rmtree(paths.state)
    if purge:
        shutil.rmtree(paths.run)


def is_up(paths: Paths) -> bool:
    """Whether every component runs; says nothing about health."""
    records = [processes.read_record(_record(part, paths)) for part in components(paths)]
    return all(record is not None and processes.is_alive(record) for record in records)


def require_root() -> None:
    """Containers, mounts and iptables need root; say so before anything is half done."""
    if os.geteuid() != 0:
        raise MissingPrerequisiteError(
            "expected to run as root (containers, mounts, iptables), found another user; use sudo"
        )


def _ensure(part: Component, paths: Paths) -> str | None:
    """Return the component's name if it had to be started."""
    file = _record(part, paths)
    mark = processes.fingerprint(part.command, part.inputs)
    record = processes.read_record(file)
    if record is not None and processes.is_alive(record):
        if record.fingerprint == mark and _becomes_healthy(part, _PATIENCE_SECONDS, record):
            return None
        say(f"restarting {part.name}, which is not well or has a new configuration")
    processes.stop(file)
    for stray in processes.find(part.command):  # its record was lost; the arguments name our folders
        say(f"ending {part.name} with pid {stray.pid}, of which there is no record")
        processes.end(stray)
    with step(f"starting {part.name}", quiet_below=1.0):
        environment = {"PYTHONPATH": os.pathsep.join(_import_path())}
        record = processes.start(part.command, file=file, log=_log(part, paths), mark=mark, environment=environment)
        if not _becomes_healthy(part, _HEALTH_SECONDS, record):
            raise _failure(part, paths)
    return part.name


def _becomes_healthy(part: Component, seconds: float, record: processes.Record) -> bool:
    deadline = time.monotonic() + seconds
    while not part.is_healthy():
        if time.monotonic() > deadline or not processes.is_alive(record):
            return False
        time.sleep(_POLL_SECONDS)
    return processes.is_alive(record)


def _failure(part: Component, paths: Paths) -> ComponentFailedError:
    log = _log(part, paths)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
    return ComponentFailedError(f"expected {part.name} to become healthy, found it is not; the end of {log}:\n{tail}")


def _provide_addons(api: Api, paths: Paths, *, restarted: bool) -> None:
    """Apply the manifests unless nothing happened since exactly these were applied."""
    record = paths.state / "applied-manifests"
    coredns = addons.import_own_images(paths)  # the kubelet removes images where the disk runs full
    mark = addons.manifests_mark()
    if not restarted and record.exists() and record.read_text() == mark and addons.dns_is_ready(api):
        return
    addons.apply_manifests(paths, coredns)
    record.write_text(mark)
    with step("waiting for DNS", quiet_below=0.5):
        _wait_until(lambda: addons.dns_is_ready(api), "CoreDNS to be available", paths)


def _wait_until(holds: Callable[[], bool], what: str, paths: Paths) -> None:
    deadline = time.monotonic() + _HEALTH_SECONDS
    while True:
        try:
            if holds():
                return
        except ApiError:
            pass  # the API server may restart while we ask; the deadline bounds it
        if time.monotonic() > deadline:
            raise ComponentFailedError(f"expected {what} within {_HEALTH_SECONDS:.0f} s; the logs are in {paths.logs}")
        time.sleep(_POLL_SECONDS)


def _stop_all(paths: Paths) -> None:
    """End the components but containerd, then the containers, containerd, and what they leave."""
    for part in reversed(components(paths)):
        if part.name != "containerd":
            processes.stop(_record(part, paths))
    containerd = paths.run / "processes" / "containerd.json"
    if health.socket_answers(paths.containerd_socket):
        try:
            kill_all_tasks(paths)
        except CommandFailedError as error:
            say(f"containerd does not list its containers; their shims are killed instead: {error}")
    processes.stop(containerd)
    leftovers.kill_shims(paths)
    leftovers.unmount_all(paths)
    leftovers.remove_pod_networks("modelport")
    shutil.rmtree(paths.run / "addresses", ignore_errors=True)
    _remove_service_rules(paths.binaries / "kube-proxy")
    remove_network()


def _remove_service_rules(proxy: Path) -> None:
    if not proxy.exists():
        return
    try:
        run([str(proxy), "--cleanup"])
    except CommandFailedError as error:
        say(f"kube-proxy left some of its iptables rules behind: {error}")


def _record(part: Component, paths: Paths) -> Path:
    return paths.run / "processes" / f"{part.name}.json"


def _log(part: Component, paths: Paths) -> Path:
    return paths.logs / f"{part.name}.log"


def _import_path() -> list[str]:
    return [str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])]
