"""`modelport pull`: a verified artifact from the namespace's store, every file checked."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from modelport.api.status import ArtifactStatus
from modelport_cli.access.cluster import connect, read_resource, understand
from modelport_cli.access.stores import namespace_store
from modelport_cli.arguments import Context, Name, Namespace
from modelport_cli.artifacts import save_artifact
from modelport_cli.errors import CommandError
from modelport_cli.views.stages import size


def pull(
    name: Name,
    folder: Annotated[Path, Parameter(name="DIR")],
    /,
    *,
    namespace: Namespace = None,
    context: Context = None,
) -> None:
    """Fetch a verified artifact from the namespace's store and check every file; a second call goes on.

        modelport pull pnet artifact -n modelport-demo

    Parameters
    ----------
    name
        The ModelConversion.
    folder
        Folder for the artifact, which `modelport serve` takes.
    """
    cluster = connect(namespace, context)
    artifact = verified_artifact(read_resource(cluster, name))
    with namespace_store(cluster) as store:
        manifest = save_artifact(store, key=artifact.key, digest=artifact.digest, folder=folder)
    total = sum(file.size_bytes for file in manifest.files)
    print(f"artifact {artifact.digest} ({manifest.format}, {size(total)}) in {folder}")


def verified_artifact(body: dict[str, object]) -> ArtifactStatus:
    """Return the artifact that the status names. Raises CommandError if there is none."""
    resource = understand(body)
    artifact = resource.status.artifact
    if artifact is None:
        name = resource.metadata.name
        raise CommandError(f"{name} has no artifact", f"`modelport get {name} -w` shows how far the conversion is.")
    return artifact
