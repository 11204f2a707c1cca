"""One line instead of a manifest: the manifest that it stands for, and what it refuses."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from modelport.api.spec import DimensionRange
from modelport_cli.__main__ import call
from modelport_cli.errors import Exit
from modelport_cli.manifest import load_resource
from modelport_cli.uploads import describe_upload

WEIGHTS = b"weights"
DIGEST = sha256(WEIGHTS).hexdigest()


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "Face Finder 2.pt"
    path.write_bytes(WEIGHTS)
    return path


@pytest.fixture
def code(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "net.py").write_text("")
    return tmp_path / "code"


def printed(capsys, *arguments):
    """Return the manifest that is printed, and the lines before it."""
    assert call(["convert", *map(str, arguments), "--manifest"]) == Exit.DONE
    text = capsys.readouterr().out
    return YAML(typ="safe", pure=True).load(text), [line for line in text.splitlines() if line.startswith("#")]


def test_a_file_alone(capsys, weights):
    manifest, lines = printed(capsys, weights)
    assert manifest == {
        "apiVersion": "modelport.dev/v1alpha1",
        "kind": "ModelConversion",
        "metadata": {"name": "face-finder-2"},
        "spec": {
            "source": {
                "uri": f"s3://BUCKET/PREFIX/uploads/{DIGEST}/{weights.name}",
                "digest": f"sha256:{DIGEST}",
                "secretRef": {"name": "modelport-store"},
            },
            "target": {"format": "onnx"},
        },
    }
    assert lines == [f"# `modelport push '{weights}'` brings it into the namespace's store and prints its URI"]


def test_all_that_can_be_said_and_the_manifest_says_the_same(capsys, tmp_path, weights, code):
    said = {"--option": ("opset=17", "simplify=true"), "--input": ("x=float32:batch,3,24", "n=int64:")}
    words = [word for name, values in said.items() for value in values for word in (name, value)]
    built = ("--code", code, "--factory", "net:Net", "--argument", "size=[2, 3]", "--argument", "mode=last")
    built += ("--argument", "weights=null", "--trust")
    manifest, _ = printed(capsys, weights, "--from", "pytorch-state-dict", *words, *built)
    (tmp_path / "m.yaml").write_text(json.dumps(manifest))  # which is YAML
    spec = load_resource(tmp_path / "m.yaml").spec
    assert (spec.target.format, spec.target.options) == ("onnx", {"opset": 17, "simplify": True})
    assert [(each.name, each.dtype, each.shape) for each in spec.source.inputs] == [
        ("x", "float32", ["batch", 3, 24]),
        ("n", "int64", []),
    ]
    assert (spec.source.format, spec.source.trust) == ("pytorch-state-dict", "Trusted")
    assert (spec.source.code.factory, spec.source.code.arguments) == (
        "net:Net",
        {"size": [2, 3], "mode": "last", "weights": None},
    )
    assert spec.source.code.digest == describe_upload([code], None).digest


def test_what_messages_ask_for_can_be_said(capsys, tmp_path, weights):
    (tmp_path / "samples.npz").write_bytes(b"samples")
    words = [
        "--key",
        "summed",
        "--dimension",
        "height=12..512",
        "--dimension",
        "width=32..96/32",
        "--shape",
        "x=1,64,32",
        "--shape",
        "flag=",
        "--data",
        tmp_path / "samples.npz",
        "--tolerance",
        "1e-4",
    ]
    manifest, _ = printed(capsys, weights, *words, "--input", "x=float32:batch,height,width:-1..1.5")
    (tmp_path / "m.yaml").write_text(json.dumps(manifest))
    spec = load_resource(tmp_path / "m.yaml").spec
    assert spec.source.checkpoint.key == "summed"
    assert spec.source.dimensions["width"] == DimensionRange(min=32, max=96, multiple_of=32)
    assert (spec.source.dimensions["height"].min, spec.source.dimensions["height"].max) == (12, 512)
    assert spec.target.shapes == {"x": [1, 64, 32], "flag": []}
    assert spec.source.inputs[0].values.range == [-1, 1.5]
    assert spec.verification.tolerance.relative == 1e-4
    assert spec.verification.data.digest == describe_upload([tmp_path / "samples.npz"], None).digest


def test_what_a_file_refers_to_needs_no_factory(capsys, tmp_path, weights, code):
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "needed-1.0-py3-none-any.whl").write_bytes(b"wheel")
    words = (
        "--object",
        "net:Layer",
        "--object",
        "net:swish",
        "--module",
        "train",
        "--requirements",
        tmp_path / "wheels",
    )
    manifest, _ = printed(capsys, weights, "--from", "pytorch-module", "--code", code, *words, "--trust")
    (tmp_path / "m.yaml").write_text(json.dumps(manifest))
    stated = load_resource(tmp_path / "m.yaml").spec.source.code
    assert (stated.factory, stated.objects, stated.modules) == (None, ["net:Layer", "net:swish"], ["train"])
    assert stated.requirements.digest == describe_upload([tmp_path / "wheels"], None).digest
    assert stated.requirements.uri.endswith("/wheels/")


@pytest.mark.parametrize(("stem", "name"), [("9-lives", "model-9-lives"), ("--", "model"), ("a" * 70, "a" * 52)])
def test_names_are_those_of_kubernetes(capsys, tmp_path, stem, name):
    (tmp_path / f"{stem}.onnx").write_bytes(b"model")
    assert printed(capsys, tmp_path / f"{stem}.onnx")[0]["metadata"]["name"] == name


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--factory", "net:Net"], "expected --code"),
        (["--requirements", "."], "expected --code"),
        (["--code", ".", "--factory", "net:Net"], "--code: expected --trust with it"),
        (["--option", "opset"], "--option: expected NAME=VALUE, found 'opset'"),
        (["--option", "opset={"], "--option opset: expected a value as in YAML"),
        (["--input", "x=float32[3]"], "--input: expected NAME=TYPE:LENGTHS"),
        (["--input", "x=float32:3:low..high"], "--input: expected NAME=TYPE:LENGTHS"),
        (
            ["--dimension", "height=12"],
            "--dimension: expected NAME=MIN..MAX or NAME=MIN..MAX/MULTIPLE, such as height=32..512/32, found 'height=12'",
        ),
        (["--dimension", "height=0..5"], "dimensions"),
        (["--shape", "x=1,y"], "--shape: expected NAME=LENGTHS, such as image=1,3,224,224, found 'x=1,y'"),
        (["--input", "x=float31:3"], "inputs[0].dtype"),
        (["--to", "nothing"], "spec.target.format: expected one of"),
        (["--namespace", "ml"], "--namespace: expected --manifest with it"),
        (["--output", "."], "--output .: expected a folder that does not exist or is empty"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_done(capsys, monkeypatch, weights, words, told):
    monkeypatch.chdir(Path(__file__).parent)
    assert call(["convert", str(weights), *words]) == Exit.USAGE
    assert told in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(capsys, tmp_path):
    assert call(["convert", str(tmp_path / "none.onnx")]) == Exit.USAGE
    assert "none.onnx: no such file or folder" in capsys.readouterr().err
