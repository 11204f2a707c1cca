"""Theano to ONNX: each operator at random, files of old versions, and what is refused by name."""

import json
import lzma
import os
import pickle
import subprocess
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from modelport.storage.files import describe_tree, tree_digest
from modelport_cli.local.environments import find_recipe, prepare

pytestmark = [pytest.mark.converters, pytest.mark.timeout(1800)]  # the first one makes the environment
HERE = Path(__file__).parent
ROOT = HERE.parents[2]
FILES = HERE / "theano_files"
INTEGERS = "biu"


def run_script(name, folder):
    """Run a script beside this file in the environment of Theano's image, and return what it says of each case."""
    paths = os.pathsep.join(str(ROOT / part) for part in ("operator", "images/converter", "tests"))
    command = [prepare(find_recipe("converter-mxnet")), "-W", "ignore", HERE / name, folder]
    ended = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False, timeout=1500
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    return json.loads((folder / "outcomes.json").read_text())


def answers_of(folder):
    """Return what ONNX Runtime answers to the arrays in a folder."""
    onnx.checker.check_model(folder / "model.onnx")
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(None, dict(np.load(folder / "given.npz"))), strict=True))


def assert_same(found, right):
    assert (found.shape, found.dtype) == (right.shape, right.dtype)
    if right.dtype.kind in INTEGERS:
        np.testing.assert_array_equal(found, right)
    else:
        wide = [each.astype(np.float64) for each in (found, right)]
        tolerance = 2e-3 if right.dtype == np.float16 else 2e-5
        np.testing.assert_allclose(*wide, rtol=tolerance, atol=2e-6)


def test_each_operator_answers_as_theano_does(tmp_path):
    outcomes = run_script("run_theano_cases.py", tmp_path)
    assert not {name: told for name, told in outcomes.items() if told}
    for name in outcomes:
        folder = tmp_path / name.replace(" ", "-")
        asked, found = np.load(folder / "asked.npz"), answers_of(folder)
        for key, right in asked.items():
            assert_same(found[key], right)
        if (folder / "own.npz").exists():  # what answers in step ask is what the operators' own Python answers
            for key, right in np.load(folder / "own.npz").items():
                assert_same(asked[key], right)


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    return folder, run_script("run_theano_kinds.py", folder)


TOLD = {
    "keeps_a_state": "follow from (W)",
    "draws_numbers": "made without updates",
    "draws_without_updates": "mrg_uniform: it draws numbers",
    "a_gradient": "it is a gradient",
    "complex_numbers": "RFFTOp",
    "an_operator_of_its_own": "operator theano.tensor.nlinalg.MatrixInverse",
    "bits": "operator AND of int64",
    "whole_numbers_convolved": "Conv of int32: ONNX Runtime computes it in float32 alone",
    "whole_numbers_normalised": "AbstractBatchNormInference of int32: its fractions would be cut off",
    "several_functions": "(train, test); name it with checkpoint.key",
    "no_inputs": "found 0 inputs",
    "weights_alone": "arrays alone",
    "aesara": "one of a successor",
    "theano_pymc": "one of a successor",
    "a_kernel_of_a_gpu": "GpuOwnKernel: Theano 1.0 for CPUs has none",
}


@pytest.mark.parametrize("name", TOLD)
def test_what_cannot_be_converted_is_refused_by_name(kinds, name):
    outcome = kinds[1][name]
    assert outcome["reason"] == "ConversionFailed"
    assert TOLD[name] in outcome["message"]
    assert len(outcome["message"]) <= 500


@pytest.mark.parametrize(
    "name",
    ["a_dict", "a_graph", "a_phase_that_is_given", "named_outputs", "given_values", "a_gpu_of_cuda", "a_gpu_of_pygpu"],
)
def test_functions_graphs_and_weights_of_gpus_answer_as_before(kinds, name):
    folder, outcomes = kinds
    assert outcomes[name]["reason"] == "", outcomes[name]
    assert outcomes[name]["off"] < 1e-6
    right, found = np.load(folder / name / "right.npz"), answers_of(folder / name)
    for key in right:
        assert_same(found[key], right[key])


def manifest_of(path, **source):
    return {
        "apiVersion": "modelport.dev/v1alpha1",
        "kind": "ModelConversion",
        "metadata": {"name": "net"},
        "spec": {
            "source": {"uri": f"s3://models/{path.name}", "trust": "Trusted", **source},
            "target": {"format": "onnx"},
        },
    }


@pytest.mark.parametrize("name", sorted(path.name.removesuffix(".pkl.xz") for path in FILES.glob("*.xz")))
def test_files_of_old_versions_answer_as_their_functions_did(run, tmp_path, name):
    path = tmp_path / f"{name}.pkl"
    path.write_bytes(lzma.decompress((FILES / f"{name}.pkl.xz").read_bytes()))
    status = run(manifest_of(path), path)
    assert "failure" not in status, status
    told = dict(np.load(FILES / f"{name}.npz"))
    folder = Path(status["artifact"]["uri"].removeprefix("file:"))
    session = onnxruntime.InferenceSession(folder / "model" / "model.onnx")
    found = session.run(None, {each.name: told[each.name] for each in session.get_inputs()})
    for number, answer in enumerate(found):
        np.testing.assert_allclose(answer, told[f"answer_{number}"], rtol=1e-5, atol=1e-6)


def test_a_pickle_that_is_not_trusted_is_not_opened(run, tmp_path):
    path = tmp_path / "net.pkl"
    path.write_bytes(lzma.decompress((FILES / "theano-0.7-images.pkl.xz").read_bytes()))
    status = run(manifest_of(path, trust="Untrusted"), path)
    assert status["failure"]["reason"] == "UntrustedSource"


def test_a_pickle_that_was_cut_is_told(run, tmp_path):
    path = tmp_path / "net.pkl"
    path.write_bytes(lzma.decompress((FILES / "theano-0.9-images.pkl.xz").read_bytes())[:-2000])
    status = run(manifest_of(path), path)
    assert status["failure"]["reason"] == "SourceCorrupt"
    assert "expected a whole pickle" in status["failure"]["message"]


LASAGNE = """
import theano
import theano.tensor as T


class InputLayer:
    def __init__(self, shape):
        self.shape, self.input_var = shape, T.fmatrix("input")

    def get_output(self, **_):
        return self.input_var


class DenseLayer:
    def __init__(self, incoming, W):
        self.input_layer, self.W = incoming, W

    def get_output(self, deterministic=False):
        made = T.dot(self.input_layer.get_output(deterministic=deterministic), self.W)
        return made if deterministic else made * 2


def get_output(layers, **options):
    return [each.get_output(**options) for each in layers]
"""


def test_layers_of_lasagne_are_built_by_the_package_that_comes_with_them(run, tmp_path):
    code = tmp_path / "code"
    for package in ("lasagne", "lasagne/layers"):
        (code / package).mkdir(parents=True)
        (code / package / "__init__.py").write_text(LASAGNE if package.endswith("layers") else "")
    weights = np.random.default_rng(3).standard_normal((4, 3)).astype(np.float32)
    np.save(tmp_path / "W.npy", weights)
    script = tmp_path / "write.py"
    script.write_text(
        "from modelport_converter.frameworks.mxnet.theano.library import theano\n"
        "import pickle, sys\nimport numpy as np\nfrom lasagne.layers import DenseLayer, InputLayer\n"
        "net = DenseLayer(InputLayer((None, 4)), theano.shared(np.load('W.npy')))\n"
        "open('net.pkl', 'wb').write(pickle.dumps(net, 2))\n"
    )
    paths = os.pathsep.join(map(str, (ROOT / "operator", ROOT / "images/converter", code)))
    subprocess.run(
        [prepare(find_recipe("converter-mxnet")), "-W", "ignore", script],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": paths}, check=True, timeout=600,
    )  # fmt: skip
    path = tmp_path / "net.pkl"
    told = {"uri": "s3://models/code/", "digest": tree_digest(describe_tree(code))}
    status = run(manifest_of(path, code=told), path, code=code)
    assert "failure" not in status, status
    folder = Path(status["artifact"]["uri"].removeprefix("file:"))
    session = onnxruntime.InferenceSession(folder / "model" / "model.onnx")
    rows = np.ones((2, 4), np.float32)
    np.testing.assert_allclose(session.run(None, {"input": rows})[0], rows @ weights, rtol=1e-5)
    failure = run(manifest_of(path), path)["failure"]
    assert failure["reason"] == "FactoryFailed"
    assert "Lasagne is not there: ModuleNotFoundError" in failure["message"]


def test_arrays_alone_are_no_function(run, tmp_path):
    path = tmp_path / "weights.pkl"
    path.write_bytes(pickle.dumps([np.zeros(3)], 2))
    status = run(manifest_of(path, format="theano-function"), path)
    assert "failure" in status
