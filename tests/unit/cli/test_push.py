"""Uploads: their names and digests, that fetch computes the same digest from what was uploaded, and wheels for code."""

from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
import yaml

from modelport.storage.locations import bring
from modelport_cli.errors import UsageError
from modelport_cli.local.environments import images_folder
from modelport_cli.uploads import describe_upload
from unit.steps.jobs import tar_bytes, zip_bytes

from .test_calling import modelport

pytestmark = pytest.mark.processes


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "net"
    (folder / "data").mkdir(parents=True)
    (folder / "net.onnx").write_bytes(b"graph")
    (folder / "data" / "weights").write_bytes(b"weights")
    return folder


def location(store, *arguments):
    ended = modelport("push", "--store", f"file://{store}", "--json", *arguments)
    assert ended.returncode == 0, ended.stderr
    return msgspec.json.decode(ended.stdout)


@pytest.mark.parametrize(
    ("paths", "end"),
    [(["net/net.onnx"], "/net.onnx"), (["net"], "/net/"), (["net/net.onnx", "net/data/weights"], "/files/")],
)
def test_what_was_pushed_is_what_fetch_finds(tmp_path, model, monkeypatch, paths, end):
    pushed = location(tmp_path / "store", *(model.parent / path for path in paths))
    assert pushed["uri"].startswith(f"file://{tmp_path}/store/uploads/{pushed['digest'].removeprefix('sha256:')}/")
    assert pushed["uri"].endswith(end)
    monkeypatch.setenv("MODELPORT_ALLOW_FILE", "1")
    assert bring(pushed["uri"], {}, tmp_path / "fetched")[0] == pushed["digest"]


def test_the_digest_of_a_file_is_its_sha256(tmp_path, model):
    pushed = location(tmp_path / "store", model / "net.onnx", "--name", "best.onnx")
    assert pushed["digest"] == "sha256:" + sha256(b"graph").hexdigest()
    assert pushed["uri"].endswith("/best.onnx")


def test_what_is_there_is_not_sent_again(tmp_path, model):
    first = location(tmp_path / "store", model)
    stored = next((tmp_path / "store").rglob("weights"))
    written = stored.stat().st_mtime_ns
    assert location(tmp_path / "store", model) == first
    assert stored.stat().st_mtime_ns == written


def test_the_yaml_lines_fit_into_a_manifest(tmp_path, model):
    ended = modelport("push", model / "net.onnx", "--store", f"file://{tmp_path}/store")
    assert [line.partition(":")[0] for line in ended.stdout.splitlines()] == ["uri", "digest"]


@pytest.mark.parametrize(
    ("paths", "name", "message"),
    [
        (["none"], None, "none: no such file"),
        (["net", "net/net.onnx"], None, "expected a file"),
        (["net/net.onnx", "net/net.onnx"], None, "given twice"),
        (["net/net.onnx"], "a/b", "without '/'"),
        ([], None, "expected a PATH"),
        (["empty"], None, "found none"),
    ],
)
def test_refusals(tmp_path, model, paths, name, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=message):
        describe_upload([tmp_path / path for path in paths], name)


def test_a_link_in_a_folder_is_refused(model):
    (model / "passwd").symlink_to("/etc/passwd")
    ended = modelport("push", model, "--store", "file:///tmp")
    assert ended.returncode == 1
    assert "UnsafeSource: passwd" in ended.stderr


def test_a_store_that_does_not_answer_is_told(model):
    variables = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "hidden-key",
    }
    ended = modelport("push", model, "--store", "s3://bucket/x", **variables)
    assert ended.returncode == 1
    assert "error: StoreUnavailable: s3://bucket/x" in ended.stderr
    assert "hidden-key" not in ended.stderr


# --- wheels ---------------------------------------------------------------------------------------------------------

LOCK = images_folder() / "converter" / "locks" / "pytorch.txt"
NUMPY = next(line.split()[0] for line in LOCK.read_text().splitlines() if line.startswith("numpy=="))


def wheel(name, version, *needs, tag="py3-none-any"):
    info = f"{name}-{version}.dist-info"
    said = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {each}" for each in needs)]
    content = {
        f"{name}/__init__.py": b"",
        f"{info}/METADATA": "\n".join(["Metadata-Version: 2.1", *said, ""]).encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
        f"{info}/RECORD": b"",
    }
    return f"{name}-{version}-{tag}.whl", zip_bytes(content)


@pytest.fixture
def index(tmp_path):
    """Return where packages come from: an index of wheels, and of one package that is a source alone."""
    folder = tmp_path / "index"
    files = [
        wheel("needed", "1.0", "needed-too>=1", NUMPY.partition("==")[0]),
        wheel("needed_too", "1.5"),
        wheel("needed_too", "2.0", tag="cp312-cp312-manylinux_2_17_x86_64"),
        wheel("needed_too", "1.9", tag="cp311-cp311-manylinux_2_17_x86_64"),
        wheel("needed_too", "1.9", tag="cp310-cp310-manylinux_2_17_x86_64"),
        wheel(*NUMPY.split("==")),
        wheel("numpy", "0.1"),
        (
            "sources-1.0.tar.gz",
            tar_bytes({"sources-1.0/PKG-INFO": b"Metadata-Version: 2.1\nName: sources\nVersion: 1.0\n"}),
        ),
    ]
    for name, content in files:
        project = folder / name.partition("-")[0].replace("_", "-")
        project.mkdir(parents=True, exist_ok=True)
        (project / name).write_bytes(content)
        links = "".join(f'<a href="{each.name}">{each.name}</a>' for each in project.glob("*-*"))
        (project / "index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>")
    return {"UV_DEFAULT_INDEX": folder.as_uri(), "XDG_CACHE_HOME": str(tmp_path / "cache")}


def push_requirements(tmp_path, index, text, *arguments):
    (tmp_path / "requirements.txt").write_text(text)
    given = ("--requirements", tmp_path / "requirements.txt", "--store", f"file://{tmp_path}/store")
    return modelport("push", *given, *arguments, **index)


def test_requirements_become_wheels_for_the_image_beside_what_it_has(tmp_path, index):
    ended = push_requirements(tmp_path, index, "needed\n", "--format", "pytorch-state-dict")
    assert ended.returncode == 0, ended.stderr
    located = yaml.safe_load(ended.stdout)["requirements"]
    folder = Path(located["uri"].removeprefix("file://"))
    assert located["uri"].endswith("/wheels/")
    assert sorted(path.name for path in folder.iterdir()) == [
        "needed-1.0-py3-none-any.whl",
        "needed_too-1.9-cp311-cp311-manylinux_2_17_x86_64.whl",
    ]
    assert "needed, needed-too; of converter-pytorch: numpy" in ended.stderr
    again = push_requirements(tmp_path, index, "needed\n", "--format", "pytorch-state-dict", "--json")
    assert msgspec.json.decode(again.stdout) == located
    assert "Downloading" not in again.stderr


@pytest.mark.parametrize(
    ("text", "arguments", "told"),
    [
        ("sources\n", ["--format", "safetensors"], "sources==1.0 has no usable wheels"),
        ("numpy<1\n", ["--format", "safetensors"], f"numpy<1 and {NUMPY}"),
        ("needed[\n", ["--format", "safetensors"], "requirements.txt"),
        ("numpy\n", ["--format", "safetensors"], "converter-pytorch has all of it: numpy"),
        ("needed\n", ["--format", "darknet"], "--format: expected one of"),
        ("needed\n", ["net.onnx"], "expected a PATH or --requirements, found both"),
    ],
)
def test_requirements_that_do_not_fit_are_told(tmp_path, index, text, arguments, told):
    ended = push_requirements(tmp_path, index, text, *arguments)
    assert ended.returncode in (1, 2)
    assert told in " ".join(ended.stderr.split()), ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "store").exists()
