"""Files of strangers: regular ones beneath a root are read, everything else is refused."""

import os
from pathlib import Path

import pytest

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.storage.files import (
    copy_beneath,
    describe_tree,
    list_tree,
    open_beneath,
    read_bytes,
    relative_parts,
    tree_digest,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/a").mkdir(parents=True)
    (tmp_path / "root/a/model").write_bytes(b"weights")
    (tmp_path / "secret").write_text("password")
    return tmp_path / "root"


def test_a_regular_file_is_read(root: Path) -> None:
    with open_beneath(root, "a/model") as file:
        assert file.read() == b"weights"


def test_a_missing_file_is_missing(root: Path) -> None:
    with pytest.raises(FileNotFoundError), open_beneath(root, "a/other"):
        pass


def make_link_to_file(root: Path) -> str:
    (root / "link").symlink_to(root.parent / "secret")
    return "link"


def make_link_to_folder(root: Path) -> str:
    (root / "folder").symlink_to(root.parent)
    return "folder/secret"


def make_pipe(root: Path) -> str:
    os.mkfifo(root / "pipe")
    return "pipe"


def make_link_inside(root: Path) -> str:
    (root / "inner").symlink_to("a/model")
    return "inner"


@pytest.mark.parametrize("make", [make_link_to_file, make_link_to_folder, make_pipe, make_link_inside])
def test_links_and_special_files_are_refused(root: Path, make) -> None:
    path = make(root)
    with pytest.raises(ModelportError) as caught, open_beneath(root, path):
        pass
    assert caught.value.reason is Reason.UNSAFE_SOURCE
    with pytest.raises(ModelportError):
        list_tree(root)


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a/../../secret", "", "a\\b", "a\0b"])
def test_paths_that_leave_are_refused(path: str) -> None:
    with pytest.raises(ModelportError, match="expected a relative path"):
        relative_parts(path)


def test_small_reads_are_bounded(root: Path) -> None:
    assert read_bytes(root, "a/model", 7) == b"weights"
    with pytest.raises(ModelportError, match="at most 6 bytes"):
        read_bytes(root, "a/model", 6)


def test_a_copy_is_described_by_what_was_copied(root: Path, tmp_path: Path) -> None:
    copied = copy_beneath(root, "a/model", tmp_path / "copy")
    assert [copied] == describe_tree(root)
    assert (tmp_path / "copy").read_bytes() == b"weights"


def test_copies_are_bounded(root: Path, tmp_path: Path) -> None:
    assert copy_beneath(root, "a/model", tmp_path / "whole", 7).size_bytes == 7
    with pytest.raises(ModelportError, match="at most 6 bytes"):
        copy_beneath(root, "a/model", tmp_path / "less", 6)


def test_tree_digest_follows_names_and_contents_but_not_order(root: Path) -> None:
    (root / "b").write_bytes(b"x")
    files = describe_tree(root)
    digest = tree_digest(files)
    assert tree_digest(files[::-1]) == digest
    (root / "b").rename(root / "c")
    assert tree_digest(describe_tree(root)) != digest
