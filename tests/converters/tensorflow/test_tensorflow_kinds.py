"""Every way in which a model of Keras could be misread: converted with Keras' own answers, or refused by name."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from converters.verdicts import convert_all, serve, verify
from modelport.steps.handover import ARTIFACT, RECORD
from modelport.storage.manifests import MODEL

pytestmark = pytest.mark.converters
FORMS = [f"{form}-{version}" for form in ("keras", "keras-h5") for version in (2, 3)]


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """Return the folder of the steps' volumes, and what came of each model."""
    folder = tmp_path_factory.mktemp("kinds")
    return folder, convert_all("converter-tensorflow", Path(__file__).with_name("run_kinds.py"), folder)


CONVERTED = [
    *(f"{name}-{form}" for name in ("cnn", "several") for form in FORMS),
    *("lstm-keras-3", "lstm-keras-2", "lstm-keras-h5-3", "gru-keras-3", "gru-keras-h5-2"),
    *("transformer-keras-2", "transformer-keras-h5-3"),
    *("weights-model.weights.h5-3", "weights-checkpoint-3", "weights-model.weights.h5-2", "weights-model.h5-2"),
    *(
        "weights-saved-2",
        "saved-lstm-3",
        "saved-transformer-2",
        "plain",
        "other",
        "looped",
        "frozen",
        "checkpoint",
        "lite",
    ),
    *("opset11", "double", "scaled", "scaled2"),
    *("by_name", "twice2", "twice3", "grouped2", "grouped3", "grouped-saved", "masked", "operators"),
    *("whole", "resized", "training", "lite-names", "unread", "custom-saved", "custom-json", "own-class"),
    *("normalized-1", "tagged-1"),
    *("optimized-summed", "rows2", "rows3", "aged-gru", "cropped", "lambda"),
    *("lstm-1", "lstm-saved-1", "lstm-checkpoint-1", "lstm-lowered", "lstm-both-1", "lstm-both-lowered"),
    *("within-1", "within-lowered", "branching-1", "branching-lowered"),
    *("calling-1", "lengths-1", "lengths-fixed-1"),
    *("chained-1", "chained-lowered", "deciding-1", "deciding-lowered"),
    *(f"custom-{form}" for form in FORMS),
    *(f"built-{name}" for name in ("Net-net.weights.h5-3", "Net-net.h5-2", "Net-net-2", "Two-net.weights.h5-3")),
    *(f"built-Lists-net.weights.h5-{version}" for version in (2, 3)),
]


@pytest.mark.parametrize("name", CONVERTED)
def test_gives_keras_own_answers(kinds, name):
    folder, outcomes = kinds
    assert outcomes[name] == {"reason": "", "message": ""}
    manifest = verify(folder / name)
    served = folder / name / "try" / "out" / ARTIFACT / MODEL
    infer = serve(manifest, served)
    right = np.load(folder / name / "right.npz")
    asked = {key.removeprefix("in."): right[key] for key in right if key.startswith("in.")}
    if len(asked) == 1:  # whose name TensorFlow Lite makes up
        asked = {manifest.signature.inputs[0].name: next(iter(asked.values()))}
    found = infer(asked)
    for number, array in enumerate(found.values()):
        wanted = right[f"out.{number}"]
        assert (array.shape, array.dtype) == (wanted.shape, wanted.dtype)
        np.testing.assert_allclose(array, wanted, rtol=1e-5, atol=2e-6)


def test_numbers_of_8_bits_differ_by_one_step_at_most(kinds):
    folder, outcomes = kinds
    assert outcomes["lite-bytes"] == {"reason": "", "message": ""}
    verify(folder / "lite-bytes")
    record = msgspec.json.decode((folder / "lite-bytes" / "judge" / "out" / RECORD).read_bytes())
    assert float(record["verification"]["maxAbsoluteError"]) <= 1


@pytest.mark.parametrize("name", ["lite-pooled", "lite-pooled-bounded"])
def test_pools_of_8_bits_round_halves_as_the_source_does(kinds, name):
    folder, outcomes = kinds
    assert outcomes[name] == {"reason": "", "message": ""}
    verify(folder / name)
    record = msgspec.json.decode((folder / name / "judge" / "out" / RECORD).read_bytes())
    assert [each["agreement"] for each in record["verification"]["outputs"]] == ["1"]


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("twice3", ["dense", "dense_2", "dense_1", "given_output"]),
        ("lite-names", ["first", "same", "second", "through"]),
    ],
)
def test_no_output_takes_the_name_of_another(kinds, name, names):
    assert [each["name"] for each in signature_of(kinds[0] / name)["outputs"]] == names


@pytest.mark.parametrize("form", FORMS)
def test_names_are_those_of_the_file(kinds, form):
    several = signature_of(kinds[0] / f"several-{form}")
    assert [each["name"] for each in several["inputs"]] == ["left", "right"]
    assert [each["name"] for each in several["outputs"]] == ["shared", "shared_1", "both"]


@pytest.mark.parametrize("name", ["lstm-keras-2", "lstm-keras-3", "saved-lstm-3"])
def test_free_dimensions_stay_free(kinds, name):
    (tokens,) = signature_of(kinds[0] / name)["inputs"]
    assert tokens == {"name": "tokens", "dtype": "int32", "shape": ["batch", "tokens_1"]}


def signature_of(folder):
    return msgspec.json.decode((folder / "ask" / "out" / "signature.json").read_bytes())


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        ("no_signature", "InvalidSpec", ["serving_default, other"]),
        ("counting", "ConversionFailed", ["AssignAddVariableOp", "changes variables"]),
        *(
            (f"stopping-{form}", "ConversionFailed", ["while", "may end before", "dynamic_size=True"])
            for form in ("1", "lowered", "saved")
        ),
        *(
            (f"bounded-{form}", "ConversionFailed", ["while", "at a number", "dynamic_size=True"])
            for form in ("lowered", "saved")
        ),
        ("counted-1", "ConversionFailed", ["AssignAdd", "changes variables"]),
        ("reading", "UnsafeSource", ["ReadFile"]),
        ("no_variables", "SourceCorrupt", ["Failed to find any matching files"]),
        ("frozen_key", "InvalidSpec", ["no absent"]),
        ("no_data", "WeightsMismatch", ["net-3.meta"]),
        ("reordered2", "WeightsMismatch", ["first/kernel", "second/kernel"]),
        ("reordered3", "WeightsMismatch", ["first/kernel", "second/kernel"]),
        ("one_more", "WeightsMismatch", ["not bound to checkpointed values"]),
        ("list", "WeightsMismatch", ["in no file"]),
        ("missing", "WeightsMismatch", ["dense"]),
        ("unexpected", "WeightsMismatch", ["1 left over: layers/dense_1/vars/0 [3, 3]"]),
        ("reshaped", "WeightsMismatch", ["(4, 7)"]),
        ("longer", "SourceCorrupt", ["a .keras archive"]),
        ("swapped", "WeightsMismatch", ["first", "second"]),
        ("swapped2", "WeightsMismatch", ["first", "second"]),
        ("stateful2", "ConversionFailed", ["remembers", "changes variables"]),
        ("stateful3", "ConversionFailed", ["remembers", "changes variables"]),
        ("random", "NonDeterministic", ["lambda", "Random"]),
        ("untrusted", "UntrustedSource", ["layer twice (Lambda)"]),
        ("unsupported", "ConversionFailed", ["exponential"]),
        ("opset23", "InvalidSpec", ["9 to 18"]),
        ("nested2", "WeightsMismatch", ["first/kernel", "second/kernel"]),
        ("objects2", "WeightsMismatch", ["first/kernel", "second/kernel"]),
        ("objects3", "WeightsMismatch", ["first/kernel", "second/kernel"]),
        ("sparse2", "ConversionFailed", ["input given", "SparseTensorSpec"]),
        ("sparse3", "ConversionFailed", ["input given", "SparseTensorSpec"]),
        ("ragged2", "ConversionFailed", ["input given", "RaggedTensorSpec"]),
        ("writing", "UntrustedSource", ["io.write_file in layer evil"]),
        ("training-part", "WeightsMismatch", ["net-4.meta", "other"]),
        ("optimized-None", "InvalidSpec", ["ApplyGradientDescent", "besides that it ends in loss"]),
        ("lambda-unknown", "FactoryFailed", ["<lambda>", "spec.source.code.objects"]),
        ("lite-several", "InvalidSpec", ["double, triple"]),
        ("lite-second", "ConversionFailed", ["triple is not the first graph"]),
        ("lite-state", "ConversionFailed", ["CALL_ONCE"]),
        ("custom-unknown", "FactoryFailed", ["Scale", "spec.source.code.objects"]),
        ("custom-untrusted", "UntrustedSource", ["own_layers.Scale in layer scale"]),
        ("built-Net-objects-3", "WeightsMismatch", ["gain"]),
        ("built-Leaky-net.weights.h5-3", "WeightsMismatch", ["in no file"]),
        ("built-Leaky-wrong.weights.h5-3", "WeightsMismatch", ["wrong.weights.h5"]),
        ("built-Leaky-alone.weights.h5-3", "InputsNeeded", ["spec.source.code.factory"]),
    ],
)
def test_refuses_and_names_what_is_wrong(kinds, name, reason, words):
    outcome = kinds[1][name]
    assert outcome["reason"] == reason, outcome
    assert len(outcome["message"]) <= 500
    for each in words:
        assert each in outcome["message"]
