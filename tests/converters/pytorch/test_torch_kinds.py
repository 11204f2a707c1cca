"""Every way in which a PyTorch model could be misread: converted with PyTorch's own answers, or refused by name."""

from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest

from converters.verdicts import convert_all, describe, serve, verify
from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.steps.handover import ARTIFACT, read_caveats
from modelport.storage.manifests import MODEL
from modelport.verification.measure.sameness import distance
from modelport.verification.reference import FILE_NAME, read_reference

STORED = Path(__file__).parent / "stored"
pytestmark = pytest.mark.converters


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """Return the folder of the steps' volumes, and what came of each model."""
    folder = tmp_path_factory.mktemp("kinds")
    return folder, convert_all("converter-pytorch", STORED / "torch_kinds.py", folder, "kinds")


@pytest.fixture(scope="module")
def traps(tmp_path_factory):
    """Return the same of the models that exporters are known to get wrong."""
    folder = tmp_path_factory.mktemp("traps")
    return folder, convert_all("converter-pytorch", STORED / "torch_kinds.py", folder, "traps")


CONVERTED = {
    "plain": ["output"],
    "normalised": ["output"],
    "normalised21": ["output"],
    "relearned_other": ["output"],
    "floor21": ["output"],
    "floor_other": ["output"],
    "nothing_dropped": ["output"],
    "overridden": ["output"],
    "cache": ["output"],
    "checked": ["output"],
    "tied": ["output"],
    "packed_total": ["output"],
    "ignoring": ["output"],
    "ignoring21": ["output"],
    "deep": ["output"],
    "double": ["output"],
    "half": ["output"],
    "bfloat": ["output"],
    "kinds": ["large", "image"],
    "names": ["x_output1", "x_output", "a/b", "a b_0", "a b_1"],
    "same": ["output_0", "output_1", "output_2", "output_3", "output_4"],
    "numpy": ["output"],
    "loss": ["output"],
    "optimizer": ["output"],
    "old": ["output"],
    "protocol4": ["output"],
}


def test_the_noise_of_a_model_of_integers_is_that_of_its_weights(kinds):
    reference = read_reference(kinds[0] / "deep" / "ask" / "out" / FILE_NAME)
    noise = [distance(each.outputs[0]["output"], each.repeats[0][0]["output"]) for each in reference.usual]
    assert all(5e-7 < each < 1e-3 for each in noise)


@pytest.mark.parametrize("name", CONVERTED)
def test_gives_pytorchs_own_answers(kinds, name):
    folder, outcomes = kinds
    assert describe(outcomes[name]) == ("", "")
    assert_right(folder / name, CONVERTED[name])


TRAPS = {
    "pooled": 4,
    "pooled_other": 4,
    "pixel": 3,
    "pixel_other": 3,
    "unlearned": 1,
    "packed_lstm": 1,
    "halved_lstm": 1,
    "second_axis_other": 2,
    "split": 4,
    "signed_other": 9,
    "floored_other": 1,
    "hidden": 1,
    "doubled": 1,
}


@pytest.mark.parametrize("name", TRAPS)
def test_known_traps_have_pytorchs_own_answers(traps, name):
    folder, outcomes = traps
    assert describe(outcomes[name]) == ("", "")
    count = TRAPS[name]
    assert_right(folder / name, ["output"] if count == 1 else [f"output_{number}" for number in range(count)])


def test_lengths_behind_a_recurrent_layer_are_declared_free(traps):
    (path,) = (traps[0] / "halved_lstm" / "hop-1" / "out").rglob("*.onnx")
    (output,) = onnx.load(path).graph.output
    assert all(axis.dim_param for axis in output.type.tensor_type.shape.dim[:2])


@pytest.mark.parametrize(
    ("name", "reason", "told"),
    [
        ("divided", "VerificationFailed", "output output: error of"),  # no exporter knows the divisor
        ("second_axis", "RuntimeUnsupported", "Reshape"),
        ("signed", "VerificationFailed", "output output_1: "),
        ("floored", "VerificationFailed", "output output: error of"),
    ],
)
def test_a_trap_that_an_exporter_falls_into_is_seen(traps, name, reason, told):
    folder, outcomes = traps
    assert describe(outcomes[name]) == ("", "")
    with pytest.raises(ModelportError, match=told) as failed:
        verify(folder / name)
    assert failed.value.reason == reason


def assert_right(folder, outputs):
    manifest = verify(folder)
    assert [each.name for each in manifest.signature.outputs] == outputs
    infer = serve(manifest, folder / "try" / "out" / ARTIFACT / MODEL)
    right = np.load(folder / "right.npz")
    found = infer({key.removeprefix("in."): right[key] for key in right if key.startswith("in.")})
    for number, array in enumerate(found.values()):
        wanted = right[f"out.{number}"]
        coarse = wanted.dtype == np.float16 or folder.name == "bfloat"
        relative, absolute = 1e-2 if coarse else 1e-5, 1e-4 if folder.name == "deep" else 1e-6
        assert array.shape == wanted.shape
        np.testing.assert_allclose(array.astype(np.float64), wanted.astype(np.float64), rtol=relative, atol=absolute)


def test_inputs_that_the_model_ignores_are_taken(kinds):
    folder, _ = kinds
    manifest = read_signature_of(folder / "ignoring")
    assert [(each["name"], each["dtype"]) for each in manifest] == [
        ("mask", "bool"),
        ("ids", "int64"),
        ("kinds", "float32"),
    ]


def read_signature_of(folder):
    return msgspec.json.decode((folder / "ask" / "out" / "signature.json").read_bytes())["inputs"]


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        ("list", "WeightsMismatch", ["blocks.0.weight", "blocks.0.bias"]),
        ("table", "WeightsMismatch", ["table are in no file"]),
        ("closure", "WeightsMismatch", ["act.table"]),
        ("module", "WeightsMismatch", ["in no file"]),
        ("state", "NonDeterministic", ["state (changed by running)"]),
        ("counter", "NonDeterministic", ["calls (changed by running)"]),
        ("dropout", "NonDeterministic", ["dropout at net.py:", "bernoulli"]),
        ("float", "ConversionFailed", ["output output_1", "torch.tensor(1.5)"]),
        ("complex", "ConversionFailed", ["output output", "torch.view_as_real"]),
        ("sparse", "ConversionFailed", ["output output", "to_dense()"]),
        ("branch", "ConversionFailed", ["net.py:", "was always False", "torch.export", "verification.data"]),
        ("branch_other", "ConversionFailed", ["was always False on the samples, and the trace bakes that in. Give"]),
        ("packed_last", "ConversionFailed", ["net.py:", "packed sequences", "pick, by lengths", "exporters refuse"]),
        ("whole", "UnsafeSource", ["torch.nn.modules.container.Sequential", "save model.state_dict() alone"]),
        ("complexes", "WeightsMismatch", ["complex64 for float32", "layer.weight"]),
        ("integers", "WeightsMismatch", ["int32 for float32", "layer.weight"]),
        ("nans", "WeightsMismatch", ["layer.weight (all 16 are NaN)"]),
        ("cut", "WeightsMismatch", ["scale [3] for []"]),
        ("wide", "WeightsMismatch", ["scale [] for [1]"]),
        ("infinite", "WeightsMismatch", ["beyond the range", "layer.weight float32 for float16"]),
        ("untied", "WeightsMismatch", ["tied weight: layer.weight"]),
        ("missing", "WeightsMismatch", ["1 missing: layer.bias"]),
        ("unexpected", "WeightsMismatch", ["1 unexpected: loss.weight"]),
        ("reshaped", "WeightsMismatch", ["1 reshaped: layer.weight [4, 6] for [4, 4]"]),
        ("no_key", "WeightsMismatch", ["no 'model'", "layer.weight"]),
        ("no_prefix", "WeightsMismatch", ["'module.'", "layer.weight"]),
        ("two_of_a_name", "WeightsMismatch", ["several weights have the same name"]),
        ("broken", "FactoryFailed", ["net:broken", "no such configuration"]),
        ("absent", "FactoryFailed", ["net:absent"]),
        ("no_module", "FactoryFailed", ["expected a torch.nn.Module", "zip"]),
        ("wide_input", "InputsNeeded", ["x float32"]),
        ("two_inputs", "InputsNeeded", ["Net.forward does not take the 2 inputs"]),
        ("swapped", "InputsNeeded", ["takes mask, ids, kinds in this order, found ids, mask, kinds"]),
        ("text", "InvalidSpec", ["input x", "strings"]),
    ],
)
def test_refuses_and_names_what_is_wrong(kinds, name, reason, words):
    found, message = describe(kinds[1][name])
    assert found == reason, message
    for each in words:
        assert each in message


def test_a_branch_that_the_samples_take_both_ways_fails_the_gate(kinds):
    folder, outcomes = kinds
    assert outcomes["both"]["reason"] == ""
    with pytest.raises(
        ModelportError, match=rf"times its limit.*one sample had may be baked in at net\.py:{_line_of('x.sum() > 0')}$"
    ):
        verify(folder / "both")


def test_a_captured_graph_that_is_wrong_fails_the_gate_where_the_trace_is_right(kinds):
    assert kinds[1]["relearned"]["reason"] == ""
    with pytest.raises(ModelportError, match="output output: "):
        verify(kinds[0] / "relearned")


def test_a_trace_in_doubt_is_a_path_of_its_own(kinds):
    assert kinds[1]["both_other"]["reason"] == ""
    with pytest.raises(ModelportError, match="one sample had may be baked in"):
        verify(kinds[0] / "both_other")


def test_lengths_that_a_trace_holds_are_named(kinds):
    folder, outcomes = kinds
    assert (outcomes["few"]["reason"], outcomes["packed_longest"]["reason"]) == ("", "")
    with pytest.raises(ModelportError, match=rf"\[16, 4\].*net\.py:{_line_of('x.shape[0] > 16')}$"):
        verify(folder / "few")
    with pytest.raises(ModelportError) as failed:
        verify(folder / "packed_longest")
    assert failed.value.reason == Reason.VERIFICATION_FAILED
    assert "axis 1 of output is as long as the inputs' numbers say" in failed.value.message
    assert f"net.py:{_line_of('pack_padded_sequence(x')}: packed sequences" in failed.value.message
    assert len(failed.value.message) <= 500


def test_places_that_float32_rounds_are_the_sources_own_noise(kinds):
    folder, outcomes = kinds
    assert outcomes["resized"]["reason"] == ""
    assert verify(folder / "resized").signature.outputs[0].shape == ["batch", 3, 259]


def test_a_trace_that_is_wrong_fails_so_that_the_next_path_is_tried(kinds):
    with pytest.raises(ModelportError, match=r"times its limit") as caught:
        verify(kinds[0] / "floor")
    assert caught.value.reason == Reason.VERIFICATION_FAILED


def _line_of(code):
    text = (STORED / "torch_kinds.py").read_text(encoding="utf-8").partition("CODE = '''\n")[2]
    return 1 + next(number for number, line in enumerate(text.splitlines(), 1) if code in line)


def test_a_baked_branch_is_told_where_doubts_are_only_reported(kinds):
    folder, outcomes = kinds
    assert outcomes["branch_reported"]["reason"] == ""
    (caveat,) = read_caveats(folder / "branch_reported" / "hop-1" / "out")
    assert "net.py:" in caveat
    assert "always False" in caveat
    assert verify(folder / "branch_reported").caveats == [caveat]
