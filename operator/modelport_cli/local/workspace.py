"""The folders of a local run: Jobs, credentials, scratch space, and a store of files.

A temporary folder that goes with the run, or one that the user keeps to look into. Credentials are folders with one
file per key, as mounted Secrets are, and a step is shown no others than its container would be.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from modelport.storage.files import list_tree
from modelport.storage.manifests import TUNING
from modelport.storage.store import URI_KEY
from modelport_cli.access.credentials import environment_credentials
from modelport_cli.errors import UsageError
from modelport_cli.interrupts import uninterrupted
from modelport_cli.local.environments import cache_folder

_MARKER = ".modelport-run"


class Workspace(NamedTuple):
    """Where a run keeps its files."""

    root: Path

    def job(self, name: str) -> Path:
        """Folder of a Job: one folder per step."""
        return self.root / name

    @property
    def store(self) -> Path:
        """Folder that stands for the namespace's bucket."""
        return self.root / "store"

    @property
    def store_uri(self) -> str:
        """URI of the store, for its Secret; a path as it is, which `modelport.storage.store` takes it for."""
        return f"file://{self.store}"

    def scratch(self, container: str) -> Path:
        """Home and temporary folder of a container's steps, which no other reads: settings in it would be obeyed."""
        return self.root / "scratch" / container

    def credentials(self, *, moves: str) -> Path:
        """Folder of the credentials of steps that move bytes from the `source` or the `store`, or move `nothing`."""
        return self.root / "credentials" / moves


@contextmanager
def open_workspace(kept: Path | None) -> Iterator[Workspace]:
    """Give a workspace; a temporary one is removed at the end, whatever happens."""
    if kept is not None:
        _claim(kept)
        with keeping_tuning(prepare(Workspace(kept.resolve()))) as workspace:
            yield workspace
        return
    root = Path(tempfile.mkdtemp(prefix="modelport-"))
    try:
        with keeping_tuning(prepare(Workspace(root.resolve()))) as workspace:
            yield workspace
    finally:
        with uninterrupted():
            remove(root)


@contextmanager
def keeping_tuning(workspace: Workspace) -> Iterator[Workspace]:
    """Lay what converters measured in earlier runs into the store, and keep what is there at the end, however that comes.

    It is kept in the user's cache, as a namespace's store keeps it, so that the next run goes on where this one stopped.
    """
    kept, stored = cache_folder() / TUNING, workspace.store / TUNING
    if kept.is_dir():
        shutil.copytree(kept, stored)
    try:
        yield workspace
    finally:
        with uninterrupted():
            _keep(stored, kept)


def _keep(stored: Path, kept: Path) -> None:
    """Put files in the place of those that are there, whole: another run may copy the folder, so drafts lie beside it."""
    for path in list_tree(stored) if stored.is_dir() else []:
        target = kept / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=kept.parent, delete=False) as file:
            file.write((stored / path).read_bytes())
        Path(file.name).replace(target)


def _claim(folder: Path) -> None:
    """Take a folder for runs: an empty one, or one of an earlier run, whose files are replaced."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--work {folder}: expected a folder, found a file")
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / _MARKER).exists():
            raise UsageError(f"--work {folder}: expected an empty folder or one of an earlier run")
        remove(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARKER).touch()


def remove(folder: Path) -> None:
    """Remove a folder with everything in it, folders that a step made read-only too."""
    for place, _, _ in os.walk(folder):
        if not os.path.islink(place):  # noqa: PTH114  # os.walk gives text
            os.chmod(place, 0o700)  # noqa: PTH101
    shutil.rmtree(folder)


def prepare(workspace: Workspace) -> Workspace:
    """Make the folders and the credentials of the store."""
    for folder in (workspace.store, workspace.credentials(moves="nothing")):
        folder.mkdir(parents=True)
    _write_secret(workspace.credentials(moves="store") / "store", {URI_KEY: workspace.store_uri})
    return workspace


def write_source_credentials(workspace: Workspace, roles: list[str]) -> None:
    """Give fetch the user's AWS_ variables for the roles whose location names a Secret."""
    folder = workspace.credentials(moves="source")
    folder.mkdir(parents=True, exist_ok=True)
    given = environment_credentials()
    for role in roles:
        _write_secret(folder / role, given)


def _write_secret(folder: Path, values: dict[str, str]) -> None:
    folder.mkdir(parents=True, mode=0o700)
    for name, value in values.items():
        (folder / name).write_text(value)
