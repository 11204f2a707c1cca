"""Names of strangers' files: whatever they hold, what is accepted stays inside its folder and can be told."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.api.reasons import Reason
from modelport.encoding import digest_of
from modelport.errors import ModelportError
from modelport.storage.files import copy_beneath, describe, list_tree, read_bytes, relative_parts


@pytest.fixture
def root(tmp_path):
    """A folder of a stranger's, beside a secret."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_bytes(b"the key")
    root = tmp_path / "root"
    (root / "deep" / "er").mkdir(parents=True)
    (root / "deep" / "er" / "file").write_bytes(b"content")
    return root


def assert_unsafe(act):
    with pytest.raises(ModelportError) as failed:
        act()
    assert failed.value.reason == Reason.UNSAFE_SOURCE


@pytest.mark.parametrize(
    "path", ["../secret/key", "deep/../../secret/key", "/etc/passwd", "", ".", "a\\b", "a\0b", "a\nb", "caf\udce9"]
)
def test_a_path_that_leads_out_or_cannot_be_told_is_refused(root, path):
    assert_unsafe(lambda: read_bytes(root, path, 100))


@given(st.text(max_size=40))
def test_accepted_paths_stay_inside(path):
    try:
        parts = relative_parts(path)
    except ModelportError:
        return
    inside = Path(os.path.normpath(Path("/root").joinpath(*parts)))
    assert inside.is_relative_to("/root")
    assert inside != Path("/root")
    path.encode()


def test_a_folder_is_no_file(root):
    assert_unsafe(lambda: read_bytes(root, "deep", 100))


def test_a_name_that_is_no_text_is_refused(root):
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9")).write_bytes(b"x")
    assert_unsafe(lambda: list_tree(root))


def test_a_copy_has_the_digest_of_its_bytes_and_never_overwrites(root, tmp_path):
    copied = copy_beneath(root, "deep/er/file", tmp_path / "new" / "copy")
    assert copied == describe(root, "deep/er/file")
    assert (copied.size_bytes, copied.digest) == (7, digest_of(b"content"))
    with pytest.raises(FileExistsError):
        copy_beneath(root, "deep/er/file", tmp_path / "new" / "copy")
