"""Each of MXNet's operators in each of its ways: ONNX Runtime answers what MXNet answers, at two batches and two lengths."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from converters.verdicts import convert_all

pytestmark = pytest.mark.converters
REFUSED = {
    "dropout-always": "expected mode=training; what is always dropped is drawn by chance",
    "pool-full-behind": "expected windows that begin before the end, found one that lies 2 behind it",
    "pool-free-sum": "expected fixed lengths for pool_type sum",
    "pool-free-far": "expected fixed lengths for pool_type max",
    "pool-free-inner": "expected fixed lengths for pool_type avg",
    "softmax-output-four": "layer softmax (SoftmaxOutput): expected multi_output or preserve_shape",
}


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Return the folder of the cases, and what came of each."""
    folder = tmp_path_factory.mktemp("operators")
    return folder, convert_all("converter-mxnet", Path(__file__).with_name("run_operators.py"), folder)


def test_gives_mxnets_own_answers(cases):
    folder, outcomes = cases
    wrong = {}
    for name, outcome in outcomes.items():
        if name in REFUSED:
            continue
        if outcome["reason"]:
            wrong[name] = outcome["message"]
            continue
        try:
            compare(folder / name)
        except (AssertionError, onnxruntime.capi.onnxruntime_pybind11_state.Fail) as error:
            wrong[name] = " ".join(str(error).split())[:300]
    assert not wrong
    assert len(outcomes) > 300


def compare(folder):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    answers = np.load(folder / "answers.npz")
    for number in range(2):
        asked = {each.name: answers[f"{number}.in.{each.name}"] for each in session.get_inputs()}
        found = session.run(None, asked)
        for each, array in zip(session.get_outputs(), found, strict=True):
            wanted = answers[f"{number}.out.{each.name}"]
            assert (array.shape, array.dtype) == (wanted.shape, wanted.dtype), each.name
            np.testing.assert_allclose(array, wanted, rtol=2e-5, atol=3e-6, err_msg=each.name)


@pytest.mark.parametrize("name", ["pool-max-valid-True", "pool-max-full-True", "pool-avg-valid-True", "pool-full-wide"])
def test_a_pool_pads_itself_where_runtimes_do_so_alike(cases, name):
    graph = onnx.load(cases[0] / name / "model.onnx").graph
    assert "Pad" not in {node.op_type for node in graph.node}


@pytest.mark.parametrize(("name", "told"), REFUSED.items())
def test_refuses_by_name_what_has_no_answer(cases, name, told):
    outcome = cases[1][name]
    assert outcome["reason"] == "ConversionFailed"
    assert told in outcome["message"]
