"""The engines on the embedded cluster: brought up, and taken away again."""

import shutil
from pathlib import Path

from devcluster.engines import programs
from devcluster.engines.assembly import assemble
from devcluster.errors import ClusterNotRunningError
from devcluster.images.builder import images_locked, start_images
from devcluster.kubernetes import lifecycle
from devcluster.machine.commands import run
from devcluster.machine.progress import say, step
from devcluster.machine.side_by_side import Start, Task, Tasks, side_by_side
from devcluster.paths import Paths

_SECONDS = 180
_DEPLOYMENTS = {
    "kube-system": ("metrics-server",),
    "keda": ("keda-operator", "keda-metrics-apiserver"),
    "monitoring": ("prometheus",),
}
_SCALED = ("scaledobjects.keda.sh", "scaledjobs.keda.sh")
_API_SERVICES = ("v1beta1.metrics.k8s.io", "v1beta1.external.metrics.k8s.io")


def up(paths: Paths) -> None:
    """Bring the engines up on the running cluster, or mend them."""
    with lifecycle.changing(paths), images_locked(paths):
        _require_cluster(paths)
        with side_by_side() as start:
            images = start_images(start, paths, [programs.PROMETHEUS], packages=[], containerd=[])
            start_engines(start, paths, images[programs.PROMETHEUS.name], cluster=[])


def start_engines(start: Start, paths: Paths, prometheus: Task, *, cluster: Tasks) -> Task:
    """Start to build the programs and to install the engines once the cluster is there, and the image of Prometheus."""
    built = start("the engines' programs", programs.build, paths, after=cluster)
    return start("the engines", _install, paths, prometheus, after=[prometheus, built])


def _install(paths: Paths, prometheus: Task) -> None:
    """Apply the engines, and wait until they answer."""
    folder = _folder(paths)
    tag = programs.provide_images(paths)
    with step("applying the engines"):
        assemble(folder, paths, tag=tag, prometheus=prometheus.result())
        _kubectl(
            paths, "apply", "--server-side", "--force-conflicts", "--field-manager=modelport-cluster", "-k", folder
        )
    with step("waiting for the engines"):
        for namespace, names in _DEPLOYMENTS.items():
            for name in names:
                _kubectl(paths, "rollout", "status", f"deployment/{name}", f"-n={namespace}", f"--timeout={_SECONDS}s")
        for name in _API_SERVICES:
            _kubectl(paths, "wait", f"apiservice/{name}", "--for=condition=Available", f"--timeout={_SECONDS}s")
    say("the engines are up: metrics-server, KEDA, Prometheus (http://prometheus.monitoring.svc:9090)")


def down(paths: Paths) -> None:
    """Take the engines away; what KEDA scales stays as it is."""
    folder = _folder(paths)
    with lifecycle.changing(paths):
        _require_cluster(paths)
        if not folder.exists():
            say("there are no engines")
            return
        with step("removing the engines"):
            delete = ("delete", "--ignore-not-found", f"--timeout={_SECONDS}s")
            _kubectl(paths, *delete, "crd", *_SCALED)  # while KEDA runs, which takes its finalizers away itself
            _kubectl(paths, *delete, "-k", folder)
        shutil.rmtree(folder)


def _require_cluster(paths: Paths) -> None:
    if not lifecycle.is_up(paths):
        raise ClusterNotRunningError(
            "expected the embedded cluster to run, found it does not; run `up` (`make cluster`)"
        )


def _folder(paths: Paths) -> Path:
    return paths.state / "engines"


def _kubectl(paths: Paths, *arguments: object) -> None:
    program = [str(paths.binaries / "kubectl"), f"--kubeconfig={paths.admin_kubeconfig}"]
    run([*program, *map(str, arguments)])
