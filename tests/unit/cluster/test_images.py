"""An image's key follows from its content and from nothing else."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from devcluster.errors import InvalidInputError
from devcluster.images.declarations import (
    Image,
    content_key,
    declared_images,
    input_files,
    render_catalogue,
    stage_context,
)

IMAGE = Image(
    name="store",
    dockerfile="images/store/Dockerfile",
    base="docker.io/library/debian:bookworm-slim",
    args=(("VERSION", "1"),),
    inputs=("code/**",),
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "images/store/Dockerfile": "FROM scratch",
        "code/a.py": "a",
        "code/deep/b.py": "b",
        "code/__pycache__/a.pyc": "cached",
        "secret": "not an input",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_context_is_the_inputs_and_nothing_else(root: Path, tmp_path: Path) -> None:
    stage_context(IMAGE, tmp_path / "context", root)
    staged = {str(p.relative_to(tmp_path / "context")) for p in (tmp_path / "context").rglob("*") if p.is_file()}
    assert staged == {"images/store/Dockerfile", "code/a.py", "code/deep/b.py"}


def test_key_ignores_what_is_no_input(root: Path) -> None:
    before = content_key(IMAGE, "base", root)
    (root / "secret").write_text("changed")
    (root / "code/__pycache__/a.pyc").write_text("changed")
    assert content_key(IMAGE, "base", root) == before


@pytest.mark.parametrize("file", ["images/store/Dockerfile", "code/a.py", "code/deep/b.py"])
def test_key_follows_every_input(root: Path, file: str) -> None:
    before = content_key(IMAGE, "base", root)
    (root / file).write_text("changed")
    assert content_key(IMAGE, "base", root) != before


def test_key_follows_names_arguments_and_base(root: Path) -> None:
    keys = {
        content_key(IMAGE, "base", root),
        content_key(IMAGE, "other base", root),
        content_key(replace(IMAGE, args=(("VERSION", "2"),)), "base", root),
        content_key(replace(IMAGE, name="other"), "base", root),
    }
    (root / "code/a.py").rename(root / "code/c.py")
    assert len(keys | {content_key(IMAGE, "base", root)}) == 5


def test_pattern_without_files_is_refused(root: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"expected files for 'gone/\*'"):
        input_files(replace(IMAGE, inputs=("gone/*",)), root)


def test_unknown_name_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    file = tmp_path / "images.json"
    declaration = {"dockerfile": "d", "base": "b", "inputs": []}
    file.write_text(json.dumps({"images": {"store": declaration, "operator": declaration}}))
    assert [image.name for image in declared_images(file=file)] == ["operator", "store"]
    with pytest.raises(InvalidInputError, match="operator, store; found stoer"):
        declared_images(("stoer",), file)


def test_catalogue_is_sorted() -> None:
    text = render_catalogue({"store": "s@sha256:1", "operator": "o@sha256:2"})
    assert text == render_catalogue({"operator": "o@sha256:2", "store": "s@sha256:1"})
    assert list(json.loads(text)["images"]) == ["operator", "store"]


def test_page_of_wheels_is_an_argument_of_images_that_take_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def arguments() -> dict[str, str]:
        return {image.name: dict(image.args).get("WHEELS", "") for image in declared_images()}

    monkeypatch.setenv("MODELPORT_WHEELS", "/a/folder")
    assert set(arguments().values()) == {""}
    monkeypatch.setenv("MODELPORT_WHEELS", "https://wheels.example/torch/")
    assert arguments()["converter-pytorch"] == arguments()["server-pytorch"] == "https://wheels.example/torch/"
    assert arguments()["server-onnxruntime"] == ""
