"""ONNX models asked by onnx's own evaluator: the answers it gives, in memory that does not grow with the layers."""

import tracemalloc

import numpy as np
import pytest
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport_converter.frameworks.onnx.answering import make_slow_run
from unit.converters.onnx_models import graph, model, node, value

REFUSAL = ModelportError(Reason.RUNTIME_UNSUPPORTED, "not by ONNX Runtime")
LENGTH, HEADS = 256, 4
SCORES_BYTES = LENGTH * LENGTH * HEADS * 8
DOUBLE = TensorProto.DOUBLE


def attention(layers):
    """Return so many layers, each of which makes scores, softmax and a copy of it."""
    nodes, shape = [], [HEADS, LENGTH, 8]
    for layer in range(layers):
        x, scores, shares, copy = (f"{name}{layer}" for name in ("x", "scores", "shares", "copy"))
        nodes += [
            node("Transpose", [x], [f"k{layer}"], perm=[0, 2, 1]),
            node("MatMul", [x, f"k{layer}"], [scores]),
            node("Softmax", [scores], [shares], axis=-1),
            node("Identity", [shares], [copy]),
            node("MatMul", [copy, x], [f"x{layer + 1}"]),
        ]
    return model(nodes, [value("x0", shape, DOUBLE)], [value(f"x{layers}", shape, DOUBLE)])


def peak(run, x):
    run(x)  # what the first run loads
    tracemalloc.start()
    try:
        run(x)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_stack_of_attentions_takes_the_memory_of_one():
    x = {"x0": np.random.default_rng(0).standard_normal((HEADS, LENGTH, 8))}
    one, many = (peak(make_slow_run(attention(layers), REFUSAL), x) for layers in (1, 12))
    assert many < 1.2 * one
    assert peak(lambda inputs: ReferenceEvaluator(attention(12)).run(None, inputs), x) > 12 * SCORES_BYTES


def test_the_answers_stay_those_of_the_evaluator():
    x = np.random.default_rng(1).standard_normal((HEADS, LENGTH, 8))
    proto = attention(3)
    (expected,) = ReferenceEvaluator(proto).run(None, {"x0": x})
    run = make_slow_run(proto, REFUSAL)
    for _ in range(2):
        assert np.array_equal(run({"x0": x})["x3"], expected)


@pytest.mark.parametrize("condition", [True, False])
def test_what_a_branch_reads_from_outside_stays_until_then(condition):
    outside, made = value("doubled", [3], DOUBLE), value("more", [3], DOUBLE)
    proto = model(
        [
            node("Add", ["x", "x"], ["doubled"]),
            node("Neg", ["doubled"], ["unused"]),
            node(
                "If",
                ["condition"],
                ["y"],
                then_branch=graph([], [], [outside]),
                else_branch=graph([node("Add", ["doubled", "x"], ["more"])], [], [made]),
            ),
        ],
        [value("x", [3], DOUBLE), value("condition", [], TensorProto.BOOL)],
        [value("y", [3], DOUBLE)],
        check=False,
    )
    x = np.array([1.0, 2.0, 3.0])
    answer = make_slow_run(proto, REFUSAL)({"x": x, "condition": np.array(condition)})
    assert answer["y"].tolist() == ((2 if condition else 3) * x).tolist()
