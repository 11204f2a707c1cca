"""Files to be looked at, which whoever made them may have meant to harm: no link is followed, no read is unbounded."""

from pathlib import Path
from typing import NamedTuple

from modelport.errors import ModelportError
from modelport.storage.archives import DAMAGED, list_zip
from modelport.storage.files import list_tree, open_beneath

READ_BYTES = 4_096


def open_tree(root: Path) -> "FolderTree":
    """Return all files below a folder. Raises ModelportError (UnsafeSource)."""
    return FolderTree(root, tuple(list_tree(root)))


class FolderTree(NamedTuple):
    """Files below a folder: `modelport.conversion.detection.Tree`."""

    root: Path
    paths: tuple[str, ...]

    def size(self, path: str) -> int:
        """Return the number of bytes in a file."""
        return (self.root / path).lstat().st_size

    def read(self, path: str, offset: int = 0) -> bytes:
        """Return at most 4,096 bytes of a file from an offset."""
        with open_beneath(self.root, path) as file:
            file.seek(offset)
            return file.read(READ_BYTES)

    def members(self, path: str) -> frozenset[str]:
        """Return the names in a zip archive; none for what is no archive, or not a whole one."""
        if not self.read(path).startswith(b"PK"):
            return frozenset()
        try:
            with open_beneath(self.root, path) as file:
                return frozenset(list_zip(path, file))
        except (ModelportError, *DAMAGED):
            return frozenset()
