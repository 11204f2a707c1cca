"""Inputs of floats that hide: told by what consumes them, and apart from numbers that are added or taken from 1."""

import numpy as np
import pytest
from onnx import TensorProto

from modelport.api.spec import Input
from modelport.verification.source.model import Hint
from modelport_converter.frameworks.onnx.hints.hints import find_hints
from modelport_converter.onnx_graphs.graphs import infer_tensors
from unit.converters.onnx_models import constant, model, node, value

HIDES, HIDES_AND_COUNTS, ADDED = Hint(is_mask=True), Hint(is_mask=True, is_number=True), Hint(is_added=True)
SCORES = node("MatMul", ["q", "k"], ["scores"])
COMPLEMENT = [constant("one", np.float32(1)), node("Sub", ["one", "m"], ["hidden"])]
LARGE = constant("large", np.float32(-1e4))
SOFTMAX = [node("Add", ["scores", "bias"], ["sum"]), node("Softmax", ["sum"], ["y"])]


def hint(*nodes):
    inputs = [value(name, ("batch", 4, 4)) for name in "mqk"]
    made = model(list(nodes), inputs, [value("y", None)], check=False)
    return find_hints(made, [Input(name="m", shape=["batch", 4, 4])], infer_tensors(made)).get("m")


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        # as BERT's is made
        ([SCORES, *COMPLEMENT, LARGE, node("Mul", ["hidden", "large"], ["bias"]), *SOFTMAX], HIDES),
        # the same with axes between, and other uses of the length alone
        (
            [
                SCORES,
                node("Unsqueeze", ["m", "axes"], ["u"]),
                node("Shape", ["m"], ["shape"]),
                constant("one", np.float32(1)),
                node("Sub", ["u", "one"], ["hidden"]),
                constant("large", np.float32(1e9)),
                node("Mul", ["large", "hidden"], ["bias"]),
                *SOFTMAX,
            ],
            HIDES,
        ),
        # as T5's is made
        ([*COMPLEMENT, node("Cast", ["hidden"], ["c"], to=TensorProto.BOOL), node("Where", ["c", "q", "k"], ["y"])], HIDES),
        ([constant("zero", np.float32(0)), node("Equal", ["m", "zero"], ["c"]), node("Where", ["c", "q", "k"], ["y"])], HIDES),
        # 1 hides
        ([SCORES, LARGE, node("Mul", ["m", "large"], ["bias"]), *SOFTMAX], HIDES),
        # hides, and is multiplied with, too
        ([node("Cast", ["m"], ["c"], to=TensorProto.BOOL), node("Where", ["c", "q", "k"], ["w"]), node("Mul", ["w", "m"], ["y"])], HIDES_AND_COUNTS),
        # added before a softmax, at once or with another sum between
        ([SCORES, node("Identity", ["m"], ["bias"]), *SOFTMAX], ADDED),
        ([SCORES, node("Add", ["m", "scores"], ["s"]), node("Add", ["s", "k"], ["t"]), node("Softmax", ["t"], ["y"])], ADDED),
        ([node("Attention", ["q", "k", "k", "m"], ["y"])], ADDED),
        # numbers: a sum of two inputs, a residual, a gate, a unit
        ([node("Add", ["m", "q"], ["s"]), node("Softmax", ["s"], ["y"])], None),
        ([node("MatMul", ["m", "q"], ["f"]), node("Add", ["m", "f"], ["s"]), node("Softmax", ["s"], ["y"])], None),
        ([SCORES, node("Add", ["scores", "m"], ["y"])], None),
        ([*COMPLEMENT, node("Mul", ["hidden", "q"], ["y"])], None),
        ([constant("large", np.float32(1e3)), node("Mul", ["m", "large"], ["y"])], None),
        # a temperature
        ([constant("large", np.float32(1e3)), node("Mul", ["m", "large"], ["s"]), node("Softmax", ["s"], ["y"])], None),
    ],
)  # fmt: skip
def test_masks_of_floats(nodes, expected):
    assert hint(*nodes) == expected


def test_graphs_may_be_deeper_than_python_calls():
    sums = [node("Add", [f"s{number}", "k"], [f"s{number + 1}"]) for number in range(1_500)]
    softmax = node("Softmax", ["s1500"], ["y"])
    assert hint(SCORES, node("Add", ["scores", "m"], ["s0"]), *sums, softmax) == ADDED


def test_values_that_are_joined_with_themselves_are_followed_once():
    doubled = [node("Concat", [f"h{number}"] * 2, [f"h{number + 1}"], axis=0) for number in range(40)]
    hidden = [constant("one", np.float32(1)), node("Sub", ["one", "m"], ["h0"])]
    assert hint(*hidden, *doubled, node("Relu", ["h40"], ["y"])) is None
