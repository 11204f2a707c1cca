"""What `push` and `convert` bring into a store: files that become one location, at a place that follows from their content."""

from pathlib import Path
from typing import NamedTuple

from modelport.storage.files import describe, describe_tree, relative_parts, tree_digest
from modelport.storage.manifests import File
from modelport.storage.store import Store
from modelport_cli import console
from modelport_cli.errors import UsageError
from modelport_cli.views.stages import size


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
