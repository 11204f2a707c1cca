"""`modelport push`: models, code and wheels into the namespace's store, under their digest, ready to be named in a manifest."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from modelport.errors import ModelportError
from modelport.jobs.environment import STORE_SECRET
from modelport.storage.store import Store
from modelport_cli import console
from modelport_cli.access.cluster import connect
from modelport_cli.access.stores import given_store, namespace_store
from modelport_cli.arguments import Context, Namespace, SourceFormat
from modelport_cli.errors import CommandError, UsageError
from modelport_cli.requirements import collect_wheels
from modelport_cli.uploads import describe_upload, send


def push(
    *paths: Annotated[Path, Parameter(name="PATH")],
    name: str | None = None,
    requirements: Path | None = None,
    format: SourceFormat | None = None,  # noqa: A002 the word of its option
    store: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
    namespace: Namespace = None,
    context: Context = None,
) -> None:
    """Upload a file, a folder, several files or wheels to the namespace's store; print URI and digest for a manifest.

    The same content goes to the same place: what is there already is not sent again. A store inside the cluster is
    reached through `kubectl port-forward` ($KUBECTL).

        modelport push net.onnx -n modelport-demo

    Parameters
    ----------
    paths
        A file, a folder, or several files.
    name
        Name in the URI; that of the file or folder if not given.
    requirements
        Instead of a PATH, a requirements.txt of what the model's code needs: resolved to wheels for Python 3.11 on linux
        x86_64, beside what the image of the model's format has in its own versions.
    format
        Format of the model whose code has these requirements, such as pytorch-state-dict.
    store
        URI of another store, such as s3://bucket/prefix, with the AWS_ variables of the environment.
    json
        Print JSON instead of YAML lines.
    """
    if requirements and paths:
        raise UsageError("expected a PATH or --requirements, found both")
    if format and not requirements:
        raise UsageError("--format: expected --requirements with it")
    if requirements:
        upload = describe_upload([collect_wheels(requirements, format)], name or "wheels")
    else:
        upload = describe_upload(list(paths), name)
    with _open(store, namespace, context) as opened:
        send(opened, upload)
        uri = f"{opened.uri}/{upload.path}"
    location: dict[str, object] = {"uri": uri, "digest": upload.digest}
    if store is None:
        location["secretRef"] = {"name": STORE_SECRET}
    if json:
        console.stdout.out(msgspec.json.encode(location).decode())
        return
    lines = [f"uri: {uri}", f"digest: {upload.digest}"]
    if store is None:
        lines.append(f"secretRef: {{name: {STORE_SECRET}}}")
    print("\n".join(["requirements:", *(f"  {line}" for line in lines)] if requirements else lines))


@contextmanager
def _open(store: str | None, namespace: str | None, context: str | None) -> Iterator[Store]:
    if store is not None:
        try:
            yield given_store(store)
        except ModelportError as error:  # the reason's own hint speaks of the namespace's Secret
            raise CommandError(f"{error.reason}: {error.message}", "Check --store and the AWS_ variables.") from error
        return
    with namespace_store(connect(namespace, context)) as opened:
        yield opened
