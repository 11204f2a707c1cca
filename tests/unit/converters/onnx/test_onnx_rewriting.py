"""Options that change the answers are named, and those that do not leave the model as it is."""

import numpy as np
import onnx
import onnxslim
import pytest
from onnx import TensorProto, helper, numpy_helper

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport_converter.frameworks.onnx.changes.rewriting import Comparison, with_opset
from modelport_converter.onnx_graphs.files import simplified
from unit.converters.onnx_models import constant, model, node, value

WEIGHT = np.random.default_rng(1).standard_normal((3, 3)).astype(np.float32)
QUESTIONS = [{"x": np.random.default_rng(2).standard_normal((rows, 3)).astype(np.float32)} for rows in (2, 5)]


@pytest.fixture
def compare(tmp_path):
    return Comparison(QUESTIONS, tmp_path / "model.onnx")


def linear() -> onnx.ModelProto:
    return model([node("MatMul", ["x", "w"], ["y"])], [value("x")], [value("y")], {"w": WEIGHT})


def scaled(factor: float):
    def change(made: onnx.ModelProto) -> onnx.ModelProto:
        made.graph.initializer[0].CopyFrom(numpy_helper.from_array(WEIGHT * np.float32(factor), "w"))
        return made

    return change


def test_a_change_of_the_answers_is_told_with_the_option(compare):
    with pytest.raises(ModelportError, match=r"options\.simplify changes .* output y: relative RMS 0\.01") as caught:
        compare.rewrite(linear(), scaled(1.01), "options.simplify")
    assert caught.value.reason is Reason.CONVERSION_FAILED
    assert "leave it out, the source is fine" in caught.value.message


def test_noise_is_no_change(compare):
    assert compare.rewrite(linear(), scaled(1 + 1e-6), "options.simplify").graph.node[0].op_type == "MatMul"


def other(last, output="y", dtype=TensorProto.FLOAT) -> onnx.ModelProto:
    """Return the model with one more node."""
    first = node("MatMul", ["x", "w"], ["m"])
    return model([first, last], [value("x")], [value(output, ("batch", "n"), dtype)], {"w": WEIGHT}, check=False)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (other(node("Conv", ["m"], ["y"])), "makes a model that ONNX Runtime does not run"),
        (other(node("Reshape", ["m", "x"], ["y"])), "makes a model that ONNX Runtime does not run"),
        (other(node("Identity", ["m"], ["z"]), "z"), "found no such output"),
        (
            other(node("ArgMax", ["m"], ["y"], axis=1), dtype=TensorProto.INT64),
            r"expected float32\[2, 3\], found int64",
        ),
        (other(node("Concat", ["m", "m"], ["y"], axis=0)), r"expected float32\[2, 3\], found float32\[4, 3\]"),
        (other(node("Log", ["m"], ["y"])), "other elements are finite"),
    ],
    ids=lambda each: each.graph.node[1].op_type if isinstance(each, onnx.ModelProto) else "",
)
def test_models_that_do_not_load_or_have_other_outputs(compare, changed, told):
    with pytest.raises(ModelportError, match=told):
        compare.rewrite(linear(), lambda _model: changed, "options.simplify")


def test_what_does_not_convert_is_told(compare):
    made = model([node("Mish", ["x"], ["y"])], [value("x")], [value("y")], opset=18)
    with pytest.raises(ModelportError, match=r"^options\.opset: 9: onnx cannot convert the model") as caught:
        compare.rewrite(made, with_opset(9), "options.opset: 9")
    assert caught.value.reason is Reason.CONVERSION_FAILED


def test_a_failing_simplifier_is_told(compare, monkeypatch):
    def fail(_model, **_options):
        raise KeyError("axes")

    monkeypatch.setattr(onnxslim, "slim", fail)
    with pytest.raises(ModelportError, match=r"^options\.simplify: onnxslim fails: KeyError: 'axes'; leave it out"):
        compare.rewrite(linear(), simplified, "options.simplify")


@pytest.mark.parametrize("change", [with_opset(18), simplified], ids=["opset", "simplify"])
def test_functions_are_kept_by_what_knows_none(compare, change):
    body = [constant("w", WEIGHT), node("MatMul", ["a", "w"], ["r"])]
    function = helper.make_function("own", "Linear", ["a"], ["r"], body, [helper.make_opsetid("", 17)])
    made = model([node("Linear", ["x"], ["y"], domain="own")], [value("x")], [value("y")], functions=[function])
    changed = compare.rewrite(made, change, "an option")
    assert any(each.op_type == "MatMul" for each in changed.graph.node)
