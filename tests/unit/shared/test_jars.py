"""Jars of a lock: fetched and proved, or refused with what was expected and found."""

import subprocess
import sys
from hashlib import sha256

import pytest

from modelport.storage.packages import jars
from modelport.storage.packages.jars import VARIABLE, fetch_jars

PATH = "org/toy/toy/1.0/toy-1.0.jar"
CONTENT = b"a jar"
DIGEST = sha256(CONTENT).hexdigest()


@pytest.fixture
def lock(tmp_path, monkeypatch):
    """Return what writes a lock of jars, which a repository of one jar is asked for."""
    (tmp_path / "repository" / PATH).parent.mkdir(parents=True)
    (tmp_path / "repository" / PATH).write_bytes(CONTENT)
    monkeypatch.setenv(VARIABLE, f"{(tmp_path / 'repository').as_uri()}/")

    def write(*lines):
        (tmp_path / "toy.jars").write_text("".join(f"{line}\n" for line in lines))
        return tmp_path / "toy.jars"

    return write


def test_what_is_locked_is_fetched(tmp_path, lock):
    fetch_jars(lock(f"{DIGEST}  {PATH}"), tmp_path / "jars")
    assert [(each.name, each.read_bytes()) for each in (tmp_path / "jars").iterdir()] == [("toy-1.0.jar", CONTENT)]


@pytest.mark.parametrize(
    ("lines", "error", "words"),
    [
        ([f"{'0' * 64}  {PATH}"], ValueError, f"expected SHA-256 {'0' * 64} as in toy.jars, found {DIGEST}"),
        ([f"{DIGEST}  {PATH}"] * 2, ValueError, "found toy-1.0.jar twice"),
        ([f"{DIGEST}  org/toy/none/1.0/none-1.0.jar"], OSError, "none-1.0.jar"),
    ],
)
def test_what_is_not_as_locked_is_refused(tmp_path, lock, lines, error, words):
    with pytest.raises(error, match=words):
        fetch_jars(lock(*lines), tmp_path / "jars")


def test_images_run_the_file_alone(tmp_path, lock):
    def run(line):
        command = [sys.executable, "-I", jars.__file__, lock(line), tmp_path / "jars"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert run(f"{DIGEST}  {PATH}").returncode == 0
    (tmp_path / "jars" / "toy-1.0.jar").unlink()
    refused = run(f"{'0' * 64}  {PATH}")
    assert (refused.returncode, refused.stderr.startswith("error: file://")) == (1, True)
