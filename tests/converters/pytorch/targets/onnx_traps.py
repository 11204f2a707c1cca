"""What converters are known to get wrong, as ONNX graphs: asked in each form of PyTorch's, at several lengths; printed as JSON.

The right answers are those of onnx's own evaluator.
"""

import json
import sys
import tempfile
import warnings
from itertools import count
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from converters.pytorch.targets.forms import FORMS, difference, opened
from modelport.errors import ModelportError

RANDOM = np.random.default_rng(3)


def numbers(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def model_of(nodes, shape, weights, opset=17, outputs=("y",)):
    tensors = [numpy_helper.from_array(np.asarray(each), name) for name, each in weights.items()]
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    told = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    graph = helper.make_graph(nodes, "trap", given, told, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def recurrent(kind, *, direction="forward", **attributes):
    """Return a recurrent layer and batch norm, each between transposes, as [batch, time, size]."""
    gates, sides, hidden = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind], 2 if direction == "bidirectional" else 1, 5
    weights = {
        "w": numbers(sides, gates * hidden, 4) * 0.5,
        "r": numbers(sides, gates * hidden, hidden) * 0.5,
        "b": numbers(sides, 2 * gates * hidden) * 0.5,
        "shape": np.array([0, 0, -1]),
        **{name: numbers(sides * hidden) for name in ("scale", "bias", "mean")},
        "variance": np.abs(numbers(sides * hidden)) + 0.5,
    }
    nodes = [
        helper.make_node("Transpose", ["x"], ["time_first"], perm=[1, 0, 2]),
        helper.make_node(
            kind, ["time_first", "w", "r", "b"], ["sides"], hidden_size=hidden, direction=direction, **attributes
        ),
        helper.make_node("Transpose", ["sides"], ["batch_first"], perm=[2, 0, 1, 3]),
        helper.make_node("Reshape", ["batch_first", "shape"], ["joined"]),
        helper.make_node("Transpose", ["joined"], ["channels_first"], perm=[0, 2, 1]),
        helper.make_node("BatchNormalization", ["channels_first", "scale", "bias", "mean", "variance"], ["normal"]),
        helper.make_node("Transpose", ["normal"], ["y"], perm=[0, 2, 1]),
    ]
    return model_of(nodes, ["n", "t", 4], weights)


def sequences():
    return [numbers(n, t, 4) for n, t in ((2, 7), (1, 7), (3, 1), (1, 1), (2, 12))]


def batches(*shape):
    return [numbers(n, *shape) for n in (2, 1, 5)]


def single(kind, shape, weights=None, opset=17, extra=(), **attributes):
    names = [*extra, *(weights or {})]
    return model_of([helper.make_node(kind, ["x", *names], ["y"], **attributes)], shape, weights or {}, opset)


def cases():
    """Yield the name of each trap, its model, its questions and the forms that have it."""
    eager = ("module", "script")
    for direction in ("forward", "reverse", "bidirectional"):
        yield f"gru_{direction}", recurrent("GRU", direction=direction, linear_before_reset=1), sequences(), FORMS
        yield f"gru_before_{direction}", recurrent("GRU", direction=direction), sequences(), eager
        yield f"lstm_{direction}", recurrent("LSTM", direction=direction), sequences(), FORMS
        yield f"rnn_{direction}", recurrent("RNN", direction=direction), sequences(), FORMS
    for name, slope in {
        "none": numbers(),
        "one": numbers(1),
        "columns": numbers(3),
        "channels": numbers(3, 1, 1),
        "channels_of_a_row": numbers(1, 3, 1, 1),
        "each": numbers(3, 3, 3),
    }.items():
        yield f"slope_{name}", single("PRelu", ["n", 3, 3, 3], {"slope": slope}), batches(3, 3, 3), FORMS
    yield "slope_of_features", single("PRelu", ["n", 4], {"slope": numbers(4)}), batches(4), FORMS
    kernel = {"w": numbers(3, 3, 2, 1)}
    pads = {"pads": [0, 1, 1, 0], "strides": [1, 2]}
    yield "equal_lengths", single("Conv", ["n", 3, 3, 3], kernel, **pads), batches(3, 3, 3), FORMS
    for kind in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceL2", "ReduceLogSumExp"):
        for axes, keep in (([1], 1), ([-1], 0), ([1, 2], 0)):
            name = f"{kind}_{'_'.join(map(str, axes))}_{keep}"
            yield (
                f"{name}_attribute",
                single(kind, ["n", 3, 3], opset=11, axes=axes, keepdims=keep),
                batches(3, 3),
                FORMS,
            )
            asked = {"axes": np.array(axes)}
            yield f"{name}_input", single(kind, ["n", 3, 3], asked, opset=18, keepdims=keep), batches(3, 3), FORMS
    none = single("ReduceMean", ["n", 3, 3], opset=18, noop_with_empty_axes=1)
    yield "no_axes_are_none", none, batches(3, 3), FORMS
    yield "no_axes_are_all", single("ReduceMean", ["n", 3, 3], opset=18), batches(3, 3), FORMS
    yield "squeeze_attribute", single("Squeeze", ["n", 1, 3, 1], opset=11, axes=[1, -1]), batches(1, 3, 1), FORMS
    asked = {"axes": np.array([-1, 1])}
    yield "squeeze_input", single("Squeeze", ["n", 1, 3, 1], asked), batches(1, 3, 1), FORMS
    for opset in (12, 13):
        yield f"softmax_{opset}", single("Softmax", ["n", 3, 4], opset=opset, axis=1), batches(3, 4), FORMS
    yield "folded", _folding(), [numbers(n, t, 6) for n, t in ((2, 7), (1, 3), (4, 1))], FORMS
    yield "negated", _negating(), batches(3), FORMS


def _folding():
    """Reshape by what is computed from the input's own lengths, and back."""
    nodes = [
        helper.make_node("Shape", ["x"], ["lengths"]),
        helper.make_node("Gather", ["lengths", "zero"], ["n"]),
        helper.make_node("Gather", ["lengths", "one"], ["t"]),
        helper.make_node("Mul", ["n", "t"], ["rows"]),
        helper.make_node("Div", ["six", "two"], ["half"]),
        helper.make_node("Concat", ["rows", "two", "half"], ["wanted"], axis=0),
        helper.make_node("Reshape", ["x", "wanted"], ["parts"]),
        helper.make_node("Transpose", ["parts"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("Concat", ["n", "t", "six"], ["before"], axis=0),
        helper.make_node("Reshape", ["turned", "before"], ["back"]),
        helper.make_node("ConstantOfShape", ["lengths"], ["zeros"]),
        helper.make_node("Add", ["back", "zeros"], ["y"]),
    ]
    return model_of(nodes, ["n", "t", 6], {name: np.array([each]) for name, each in
                    (("zero", 0), ("one", 1), ("two", 2), ("six", 6))})  # fmt: skip


def _negating():
    nodes = [
        helper.make_node("Less", ["x", "zero"], ["below"]),
        helper.make_node("Not", ["below"], ["above"]),
        helper.make_node("Where", ["above", "x", "zero"], ["y"]),
    ]
    return model_of(nodes, ["n", 3], {"zero": np.float32(0)})


def answer(model, name, x):
    if name == "softmax_12":  # all axes from 1 on as one, which the evaluator does not know any more
        rows = np.exp(x.reshape(len(x), -1))
        return (rows / rows.sum(1, keepdims=True)).reshape(x.shape)
    return ReferenceEvaluator(model).run(None, {"x": x})[0]


def main():
    warnings.simplefilter("ignore")
    root, places, found = Path(tempfile.mkdtemp()), count(), {}
    for name, model, questions, forms in cases():
        right = [[answer(model, name, each)] for each in questions]
        try:
            for form, ask in opened(model, root / str(next(places)), forms, {"x": questions[0]}):
                told = [
                    difference(one, other)
                    for each, wanted in zip(questions, right, strict=True)
                    for one, other in zip(ask({"x": each}), wanted, strict=True)
                ]
                found[f"{name}: {form}"] = "; ".join(filter(None, told))
        except ModelportError as error:
            found[f"{name}: refused"] = error.message
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
