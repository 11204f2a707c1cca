"""Images and chart on a cluster: the embedded one, a kind cluster, or the user's current context.

The steps are the same everywhere; only the way in which images get to the nodes differs.
"""

import os
import re
from pathlib import Path

from devcluster import binaries
from devcluster.engines import programs
from devcluster.engines.installation import start_engines
from devcluster.errors import ClusterNotRunningError, InvalidInputError, MissingPrerequisiteError
from devcluster.images.builder import build_images, images_locked, is_recorded, start_images
from devcluster.images.declarations import (
    Image,
    content_key,
    context_folder,
    declared_images,
    render_catalogue,
    stage_context,
)
from devcluster.images.tidying import remove_old_images
from devcluster.kubernetes import lifecycle
from devcluster.machine.commands import run
from devcluster.machine.progress import say, step
from devcluster.machine.side_by_side import side_by_side
from devcluster.paths import REPOSITORY, SOURCE, Paths

CHART = REPOSITORY / "charts" / "modelport"
RELEASE = "modelport"
KIND_CLUSTER = "modelport"
_REGISTRY_VARIABLE = "REGISTRY"
_DIGEST = re.compile("sha256:[0-9a-f]{64}")


def provide_images(paths: Paths, cluster: str, names: list[str]) -> dict[str, str]:
    """Build the images and bring them to the cluster; print and return their references."""
    paths.make()
    images = declared_images(tuple(names))
    if cluster != "embedded":
        references = {image.name: _docker_build(image, cluster) for image in images}
    elif lifecycle.is_up(paths):
        references = build_images(paths, images)
    else:
        raise ClusterNotRunningError(
            "expected the embedded cluster to run, found it does not; run `up` (`make cluster`)"
        )
    if not names:
        _write_catalogue(paths, cluster, references)
    if cluster == "embedded":
        remove_old_images(paths, references.values())
    return references


def deploy(
    paths: Paths,
    cluster: str,
    *,
    namespace: str,
    names: tuple[str, ...] = (),
    values: tuple[Path, ...] = (),
    settings: tuple[str, ...] = (),
    engines: bool = False,
) -> None:
    """Build the images and install or upgrade the chart, waiting until the operator is ready.

    With names those alone are built; others are deployed if they are built already. The embedded cluster is brought up
    beside the builds, with the engines of autoscaling if they are wanted.
    """
    if engines and cluster != "embedded":
        raise InvalidInputError(f"expected --cluster embedded with --engines, found {cluster}; install yours there")
    if cluster == "embedded":
        references = _provide_cluster(paths, names, engines=engines)
    else:
        references = provide_images(paths, cluster, list(names))
        binaries.build(paths, binaries.HELM)
    _write_catalogue(paths, cluster, references)
    files = [paths.state / f"images-{cluster}.json", SOURCE / "values.yaml", *values]
    with step(f"installing the chart in namespace {namespace}"):
        run(
            [
                *(str(paths.binaries / "helm"), "upgrade", "--install", RELEASE, str(CHART)),
                *_access(paths, cluster),
                *("--namespace", namespace, "--create-namespace", "--wait", "--timeout", "3m"),
                *(f"--values={file}" for file in files),
                *(word for setting in settings for word in ("--set", setting)),
            ]
        )
    if cluster == "embedded":
        remove_old_images(paths, references.values())
    say("Modelport is installed")


def _provide_cluster(paths: Paths, names: tuple[str, ...], *, engines: bool) -> dict[str, str]:
    """Bring the embedded cluster up and its images to it; return their references."""
    with lifecycle.changing(paths), images_locked(paths), side_by_side() as start:
        tasks = lifecycle.start_cluster(start, paths)
        wanted = declared_images(names)
        wanted += [each for each in declared_images() if each not in wanted and is_recorded(each, paths)]
        more = [programs.PROMETHEUS] if engines else []
        images = start_images(start, paths, wanted + more, packages=[tasks.packages], containerd=[tasks.containerd])
        if engines:
            start_engines(start, paths, images[programs.PROMETHEUS.name], cluster=[tasks.cluster])
    return {image.name: images[image.name].result() for image in wanted}


def _write_catalogue(paths: Paths, cluster: str, references: dict[str, str]) -> None:
    catalogue = paths.state / f"images-{cluster}.json"
    catalogue.write_text(render_catalogue(references))
    say(f"images: {catalogue}")


def _access(paths: Paths, cluster: str) -> list[str]:
    """Name the cluster that was asked for, so that no other one can be touched."""
    if cluster == "embedded":
        return ["--kubeconfig", str(paths.admin_kubeconfig)]
    if cluster == "kind":
        return ["--kube-context", f"kind-{KIND_CLUSTER}"]
    context = run(["kubectl", "config", "current-context"]).strip()
    say(f"using your current context {context}")
    return ["--kube-context", context]


def _docker_build(image: Image, cluster: str) -> str:
    registry = os.environ.get(_REGISTRY_VARIABLE, "")
    if cluster == "current" and not registry:
        raise MissingPrerequisiteError(
            f"expected {_REGISTRY_VARIABLE}=registry/path that your cluster's nodes pull from, found none; set it"
        )
    prefix = registry.rstrip("/") if cluster == "current" else "localhost/modelport"
    tag = f"{prefix}/{image.name}:{content_key(image, '')}"
    with step(f"building image {image.name}"), context_folder() as folder:
        stage_context(image, Path(folder))
        arguments = [word for name, value in image.args for word in ("--build-arg", f"{name}={value}")]
        run(["docker", "build", *arguments, "--tag", tag, "--file", str(Path(folder) / image.dockerfile), folder])
    if cluster == "kind":
        run(["kind", "load", "docker-image", tag, "--name", KIND_CLUSTER])
        return _name_by_digest(tag)
    run(["docker", "push", tag])
    return run(["docker", "image", "inspect", "--format", "{{index .RepoDigests 0}}", tag]).strip()


def _name_by_digest(tag: str) -> str:
    """Let the nodes of kind know an image by its digest, as the chart wants it; they know it by its tag alone."""
    reference = ""
    for node in run(["kind", "get", "nodes", "--name", KIND_CLUSTER]).split():
        ctr = ["docker", "exec", node, "ctr", "--namespace=k8s.io", "images"]
        found = _DIGEST.search(run([*ctr, "list", f"name=={tag}"]))
        if found is None:
            raise MissingPrerequisiteError(f"expected node {node} to have {tag}, which was loaded, found it does not")
        reference = f"{tag.rpartition(':')[0]}@{found[0]}"
        run([*ctr, "tag", "--force", tag, reference])
    return reference
