"""Environments: their keys, their recipes, and that they appear whole or not at all."""

import re
import subprocess
import zipfile
from hashlib import sha256

import pytest

from modelport.frameworks import FRAMEWORKS
from modelport.runtimes import RUNTIMES
from modelport_cli.errors import CommandError
from modelport_cli.local import environments
from modelport_cli.local.environments import Recipe, environment_key, find_recipe, installation, prepare


def test_the_key_follows_from_the_locks_and_their_order():
    key = environment_key([b"a==1", b"b==1"])
    assert key == environment_key([b"a==1", b"b==1"])
    assert len({key, environment_key([b"a==2", b"b==1"]), environment_key([b"b==1", b"a==1"])}) == 3
    assert key != environment_key([b"a==1b==1"])


@pytest.mark.parametrize("image", [each.image for known in (FRAMEWORKS, RUNTIMES) for each in known.values()])
def test_every_image_has_a_lock(image):
    assert find_recipe(image).locks


def test_an_unknown_image_is_named():
    with pytest.raises(CommandError, match="converter-none"):
        find_recipe("converter-none")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "modelport" / "venvs"


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel of our own, so that the real uv needs no index."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    path = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny.py", "ANSWER = 42\n")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    monkeypatch.setenv(environments.WHEELS_VARIABLE, str(folder))
    monkeypatch.setenv("UV_OFFLINE", "1")
    return path


def lock(tmp_path, digest):
    path = tmp_path / "tiny.txt"
    path.write_text(f"tiny==1.0 --hash=sha256:{digest}\n")
    return Recipe("converter-tiny", (path,))


def test_a_part_lies_in_a_folder_of_its_own(tmp_path, cache, wheel):
    whole = lock(tmp_path, sha256(wheel.read_bytes()).hexdigest()).locks[0]
    python = prepare(Recipe("converter-tiny", (whole.rename(tmp_path / "tiny.other.txt"),)))
    assert (python.parents[1] / "parts" / "other" / "tiny.py").exists()
    assert subprocess.run([python, "-c", "import tiny"], capture_output=True, check=False).returncode == 1


def test_an_environment_is_built_once_tells_so_and_holds_what_the_lock_says(tmp_path, cache, wheel, capsys):
    recipe = lock(tmp_path, sha256(wheel.read_bytes()).hexdigest())
    python = prepare(recipe)
    assert subprocess.check_output([python, "-c", "import tiny; print(tiny.ANSWER)"], text=True) == "42\n"
    built = python.parent.parent.stat().st_mtime_ns
    assert prepare(recipe) == python
    assert python.parent.parent.stat().st_mtime_ns == built
    assert {path.name for path in cache.iterdir()} == {recipe.key, f"{recipe.key}.lock"}
    told = capsys.readouterr().err
    assert "converter-tiny: Installed 1 package" in told
    assert re.search(r"converter-tiny: \d+(\.\d+)? .?B, made once, in \d+ s", told)


def test_a_wrong_hash_builds_nothing(tmp_path, cache, wheel):
    recipe = lock(tmp_path, "0" * 64)
    with pytest.raises(CommandError, match=r"(?i)hash") as caught:
        prepare(recipe)
    assert "converter-tiny" in caught.value.message
    assert not (cache / recipe.key).exists()


def test_leftovers_of_a_killed_build_are_replaced(tmp_path, cache, wheel):
    recipe = lock(tmp_path, sha256(wheel.read_bytes()).hexdigest())
    leftover = cache / f"{recipe.key}.new" / "bin"
    leftover.mkdir(parents=True)
    (leftover / "python").write_text("half")
    assert subprocess.check_output([prepare(recipe), "-c", "import tiny; print(tiny.ANSWER)"], text=True) == "42\n"


def test_what_an_environment_is_made_of_is_no_more_than_it_loads(tmp_path):
    real, base, environment = tmp_path / "home" / "3.11.9", tmp_path / "home" / "3.11", tmp_path / "venv"
    for folder in (real, environment):
        (folder / "bin").mkdir(parents=True)
    base.symlink_to(real)
    (base / "bin" / "python3.11").touch()
    (base / "bin" / "python3").symlink_to("python3.11")
    (environment / "bin" / "python").symlink_to(base / "bin" / "python3")
    (environment / "pyvenv.cfg").write_text(f"home = {base / 'bin'}\nversion_info = 3.11.9\n")
    assert installation(environment / "bin" / "python") == [
        *(environment, base / "lib", base / "lib64", real / "lib", real / "lib64"),
        *(base / "bin" / "python3", base / "bin" / "python3.11"),
    ]
