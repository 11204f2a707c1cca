"""`modelport push`: models and code into the namespace's store, under their digest, ready to be named in a manifest."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from cyclopts import Parameter

from modelport.errors import ModelportError
from modelport.jobs.environment import STORE_SECRET
from modelport.storage.files import describe, describe_tree, relative_parts, tree_digest
from modelport.storage.manifests import File
from modelport.storage.store import Store
from modelport_cli import console
from modelport_cli.access.cluster import Context, Namespace, connect
from modelport_cli.access.stores import given_store, namespace_store
from modelport_cli.errors import CommandError, UsageError
from modelport_cli.stages import size


class Upload(NamedTuple):
    """Files that become one location."""

    name: str
    files: list[tuple[Path, File]]
    """Folder that the path is relative to, and the file."""
    digest: str
    is_prefix: bool

    @property
    def folder(self) -> str:
        """Where the files go in the store: the same content, the same place."""
        return f"uploads/{self.digest.removeprefix('sha256:')}" + (f"/{self.name}" if self.is_prefix else "")

    @property
    def path(self) -> str:
        """What the URI ends in."""
        return f"{self.folder}/" if self.is_prefix else f"{self.folder}/{self.name}"


def push(
    *paths: Annotated[Path, Parameter(name="PATH")],
    name: str | None = None,
    store: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
    namespace: Namespace = None,
    context: Context = None,
) -> None:
    """Upload a file, a folder or several files to the namespace's store; print URI and digest for a manifest.

    The same content goes to the same place: what is there already is not sent again. A store inside the cluster is
    reached through `kubectl port-forward` ($KUBECTL).

    Parameters
    ----------
    paths
        A file, a folder, or several files.
    name
        Name in the URI; that of the file or folder if not given.
    store
        URI of another store, such as s3://bucket/prefix, with the AWS_ variables of the environment.
    json
        Print JSON instead of YAML lines.
    """
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
    print(f"uri: {uri}\ndigest: {upload.digest}")
    if store is None:
        print(f"secretRef: {{name: {STORE_SECRET}}}")


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


def describe_upload(paths: list[Path], name: str | None) -> Upload:
    """Return what the paths come to. Raises UsageError for paths that are not there or make no one location."""
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: no such file or folder")
    if name is not None and relative_parts(name) != (name,):
        raise UsageError(f"--name: expected one name without '/', found {name!r}")
    if not paths:
        raise UsageError("expected a PATH: a file, a folder or several files")
    first = paths[0].resolve()
    if len(paths) > 1:
        return _describe_several([path.resolve() for path in paths], name or "files")
    if first.is_dir():
        files = describe_tree(first)
        if not files:
            raise UsageError(f"{first}: expected files in this folder, found none")
        return Upload(name or first.name, [(first, file) for file in files], tree_digest(files), is_prefix=True)
    file = describe(first.parent, first.name)
    return Upload(name or first.name, [(first.parent, file)], file.digest, is_prefix=False)


def _describe_several(paths: list[Path], name: str) -> Upload:
    names = [path.name for path in paths]
    for path in paths:
        if not path.is_file():
            raise UsageError(f"{path}: expected a file, because several paths are given; push a folder alone")
        if names.count(path.name) > 1:
            raise UsageError(f"{path.name}: given twice; put the files into folders of one folder and push that")
    files = [describe(path.parent, path.name) for path in paths]
    located = [(path.parent, file) for path, file in zip(paths, files, strict=True)]
    return Upload(name, located, tree_digest(files), is_prefix=True)


def send(store: Store, upload: Upload) -> None:
    """Upload what is not in the store yet."""
    present = dict(store.list(upload.folder))
    for root, file in upload.files:
        target = f"{upload.folder}/{file.path}" if upload.is_prefix else upload.path
        if present.get(target) == file.size_bytes:
            continue
        with console.progress(f"{file.path} ({size(file.size_bytes)})"), (root / file.path).open("rb") as content:
            store.upload(target, content)
