"""ONNX graphs whose types, signs, names or lengths are easily lost, asked in forms of PyTorch's; printed as JSON.

The right answers are written down: they are ONNX Runtime's, which onnx's own evaluator does not always give.
"""

import json
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from converters.pytorch.targets.forms import FORMS, difference, opened
from modelport.errors import ModelportError
from modelport_converter.frameworks.pytorch.generating.graphs import generate

EAGER = ("module", "script")
F, HALF, DOUBLE, INT, LONG = (np.float32, np.float16, np.float64, np.int32, np.int64)
node = helper.make_node


def model_of(nodes, given, weights=None, outputs=("y",), opset=17):
    tensors = [numpy_helper.from_array(np.asarray(each), name) for name, each in (weights or {}).items()]
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
        for name, (dtype, shape) in given.items()
    ]
    told = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in outputs]
    graph = helper.make_graph(nodes, "exact", inputs, told, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def lengths(*nodes, dtype, counts, right, forms=FORMS, **weights):
    """Return what computes y of the length n of a row, and what is right for some lengths."""
    start = [node("Shape", ["x"], ["all"]), node("Gather", ["all", "zero"], ["n"])]
    made = model_of([*start, *nodes], {"x": (F, ["n"])}, {"zero": LONG(0), **weights})
    return made, [({"x": np.zeros(n, F)}, [np.asarray(right(n), dtype)]) for n in counts], forms


def types():
    for dtype, number in ((INT, TensorProto.INT32), (DOUBLE, TensorProto.DOUBLE), (HALF, TensorProto.FLOAT16)):
        cast = node("Cast", ["n"], ["y"], to=number)
        forms = FORMS if dtype != HALF else EAGER
        yield (
            f"length as {dtype.__name__}",
            *lengths(cast, dtype=dtype, counts=(3, 1, 7), right=lambda n: n, forms=forms),
        )
    for dtype in (HALF, DOUBLE):
        weight, row = np.eye(3, dtype=dtype) * dtype(2), np.ones(3, dtype)
        kernel = np.ones((3, 3, 1), dtype)
        nodes = [node("MatMul", ["x", "w"], ["a"]), node("Add", ["a", "b"], ["c"]), node("Conv", ["c", "k"], ["y"])]
        made = model_of(nodes, {"x": (dtype, ["n", 3, 3])}, {"w": weight, "b": row, "k": kernel})
        asked = [np.arange(9 * n).reshape(n, 3, 3).astype(dtype) for n in (2, 1)]
        rights = [np.repeat((2 * x + 1).sum(1, keepdims=True), 3, 1).astype(dtype) for x in asked]
        yield f"layers of {dtype.__name__}", made, [({"x": x}, [y]) for x, y in zip(asked, rights, strict=True)], FORMS
    squares = np.array([[3, 4], [-6, 8]], INT)
    made = model_of([node("ReduceL2", ["x"], ["y"], axes=[1], keepdims=0)], {"x": (INT, ["n", 2])})
    yield "norm of integers", made, [({"x": squares}, [np.array([5, 10], INT)])], EAGER
    made = model_of([node("Shrink", ["x"], ["y"], bias=1.0, lambd=2.0)], {"x": (LONG, ["n"])})
    yield "shrunk integers", made, [({"x": np.array([-4, 1, 3])}, [np.array([-3, 0, 2])])], EAGER


def signs():
    for divisor in (2, 3, -2):
        nodes = [node("Sub", ["n", "five"], ["m"]), node("Div", ["m", "d"], ["y"])]
        given = {"five": LONG(5), "d": LONG(divisor)}
        yield (
            f"a negative length by {divisor}",
            *lengths(*nodes, dtype=LONG, counts=(4, 1, 2, 7, 12), right=lambda n, d=divisor: int((n - 5) / d), **given),
        )
    nodes = [node("Sub", ["n", "five"], ["m"]), node("Mod", ["m", "d"], ["y"], fmod=1)]
    given = {"five": LONG(5), "d": LONG(3)}
    yield (
        "the rest of a negative length",
        *lengths(*nodes, dtype=LONG, counts=(4, 1, 9), right=lambda n: int(np.fmod(n - 5, 3)), forms=EAGER, **given),
    )
    made = model_of([node("Slice", ["x", "s", "e", "a", "b"], ["y"])], {"x": (F, ["n"])},
                    {"s": np.array([-100]), "e": np.array([-200]), "a": np.array([0]), "b": np.array([-1])})  # fmt: skip
    yield "backward from before the beginning", made, [({"x": np.arange(3, dtype=F)}, [np.zeros(1, F)])], EAGER
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("ConstantOfShape", ["s"], ["y"], value=numpy_helper.from_array(np.array([-np.inf], F))),
    ]
    yield "filled with minus infinity", model_of(nodes, {"x": (F, ["n", 2])}), [({"x": np.zeros((n, 2), F)}, [np.full((n, 2), -np.inf, F)]) for n in (2, 3)], FORMS  # fmt: skip


def quantized():
    scales = {"s": F(1e-12), "z": np.int8(-3)}
    made = model_of([node("QuantizeLinear", ["x", "s", "z"], ["y"])], {"x": (F, ["n"])}, scales)
    yield "beyond the range of bytes", made, [({"x": np.array([1e9, -1e9, 0], F)}, [np.array([127, -128, -3], np.int8)])], FORMS  # fmt: skip
    made = model_of([node("DynamicQuantizeLinear", ["x"], ["y", "s", "z"])], {"x": (F, ["n"])}, outputs=("y", "s", "z"))
    zeros = [np.zeros(3, np.uint8), np.asarray(1, F), np.asarray(0, np.uint8)]
    yield "a range of zeros", made, [({"x": np.zeros(3, F)}, zeros)], EAGER


def rounded():
    """Lengths and places that float32 rounds otherwise than Python."""
    counts = (7, 5, 10, 20, 90, 100)
    for scale in (0.7, 1.1, 0.29):
        for kind, number in (("Mul", F(scale)), ("Div", F(1 / scale))):
            nodes = [
                node("Cast", ["n"], ["f"], to=TensorProto.FLOAT),
                node(kind, ["f", "c"], ["m"]),
                node("Floor", ["m"], ["o"]),
                node("Cast", ["o"], ["y"], to=TensorProto.INT64),
            ]
            right = np.multiply if kind == "Mul" else np.divide
            yield (
                f"{kind} by {number}",
                *lengths(
                    *nodes, dtype=LONG, counts=counts, right=lambda n, r=right, c=number: np.floor(r(F(n), c)), c=number
                ),
            )
    for scale in (0.7, 0.6, 2.0, 0.29):
        settings = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        made = model_of(
            [node("Resize", ["x", "", "c"], ["y"], **settings)],
            {"x": (F, [1, 1, "n"])},
            {"c": np.array([1, 1, scale], F)},
        )
        pairs = []
        for n in counts:
            x = np.arange(n, dtype=F).reshape(1, 1, n)
            places = np.arange(int(np.floor(F(n) * F(scale))), dtype=F) / F(scale)
            pairs.append(({"x": x}, [x[:, :, np.minimum(np.floor(places), n - 1).astype(int)]]))
        yield f"nearest by {scale}", made, pairs, FORMS
    settings = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "round_prefer_ceil"}
    made = model_of([node("Resize", ["x", "", "", "c"], ["y"], **settings)], {"x": (F, ["n"])}, {"c": np.array([2])})
    yield "a half that is rounded", made, [({"x": np.arange(7, dtype=F)}, [np.array([0, 4], F)])], EAGER


def names():
    for name in ("gather", "lambda", "a\nimport os", "reduce_sum", "torch.float32", "self", "1/x:0", "print"):
        indices = np.array([[1, 0]])
        nodes = [node("Gather", [name, "i"], ["wrap"], axis=1), node("ReduceSum", ["wrap"], ["y"], keepdims=0)]
        made = model_of(nodes, {name: (F, ["n", 2])}, {"i": indices})
        yield f"called {name!r}", made, [({name: np.ones((n, 2), F)}, [np.asarray(2 * n, F)]) for n in (2, 3)], FORMS
    one = {"a0": np.array([0]), "a1": np.array([1])}
    yes = [node("Unsqueeze", ["x", "a0"], ["q"]), node("Shape", ["q"], ["w"])]
    no = [node("ReduceSum", ["x", "a1"], ["q"], keepdims=0), node("Shape", ["q"], ["w"])]
    told = [helper.make_tensor_value_info("w", TensorProto.INT64, None)]
    branches = {
        "then_branch": helper.make_graph(yes, "yes", [], told),
        "else_branch": helper.make_graph(no, "no", [], told),
    }
    nodes = [
        node("ReduceMax", ["x"], ["m"], keepdims=0),
        node("Greater", ["m", "zero"], ["c"]),
        node("If", ["c"], ["y"], **branches),
    ]
    made = model_of(nodes, {"x": (F, [3, 4])}, {"zero": F(0), **one})
    pairs = [({"x": np.ones((3, 4), F)}, [np.array([1, 3, 4])]), ({"x": -np.ones((3, 4), F)}, [np.array([3])])]
    yield "one name in two branches", made, pairs, EAGER


def loops():
    body = helper.make_graph(
        [node("Identity", ["go"], ["on"]), node("Add", ["s", "s"], ["t"]), node("Identity", ["t"], ["kept"])],
        "body",
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in
         (("i", TensorProto.INT64, []), ("go", TensorProto.BOOL, []), ("s", TensorProto.FLOAT, [2]))],
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in
         (("on", TensorProto.BOOL, []), ("t", TensorProto.FLOAT, [2]), ("kept", TensorProto.FLOAT, [2]))],
    )  # fmt: skip
    nodes = [
        node("Shape", ["x"], ["all"]), node("Gather", ["all", "zero"], ["n"]), node("Sub", ["n", "one"], ["turns"]),
        node("Loop", ["turns", "", "start"], ["last", "y"], body=body),
    ]  # fmt: skip
    weights = {"zero": LONG(0), "one": LONG(1), "start": np.ones(2, F)}
    made = model_of(nodes, {"x": (F, ["n"])}, weights, outputs=("last", "y"))
    pairs = [
        ({"x": np.zeros(n, F)}, [np.full(2, 2.0 ** (n - 1), F), np.array([[2.0**k] * 2 for k in range(1, n)], F).reshape(-1, 2)])
        for n in (3, 1, 2)
    ]  # fmt: skip
    yield "no turn", made, pairs, EAGER


def single():
    """One element for each mean, and axes in any order."""
    weights = {"s": np.ones(1, F), "b": np.full(1, 3, F)}
    made = model_of([node("InstanceNormalization", ["x", "s", "b"], ["y"])], {"x": (F, ["n", 1, "t"])}, weights)
    yield "one element", made, [({"x": np.full((2, 1, 1), 7, F)}, [np.full((2, 1, 1), 3, F)])], EAGER
    made = model_of([node("Unsqueeze", ["c"], ["u"], axes=[2, 1]), node("Add", ["u", "x"], ["y"])], {"x": (F, [1])}, {"c": np.ones((2, 4), F)}, opset=11)  # fmt: skip
    yield "axes in any order", made, [({"x": np.ones(1, F)}, [np.full((2, 1, 1, 4), 2, F)])], FORMS
    made = model_of([node("Split", ["x"], ["y", "z", "w"], axis=0, num_outputs=3)], {"x": (F, [4])}, outputs=("y", "z", "w"), opset=18)  # fmt: skip
    yield "parts of two", made, [({"x": np.arange(4, dtype=F)}, [np.array([0, 1], F), np.array([2, 3], F), np.zeros(0, F)])], EAGER  # fmt: skip


def activations():
    """A hard sigmoid takes the first number that is stated, wherever it stands; capitals say nothing."""
    weights = {"w": np.ones((1, 1, 1), F), "r": np.zeros((1, 1, 1), F)}
    settings = {
        "hidden_size": 1,
        "activations": ["hardsigmoid"],
        "activation_alpha": [0.5, 9.0],
        "activation_beta": [0.25],
    }
    made = model_of([node("RNN", ["x", "w", "r"], ["y"], **settings)], {"x": (F, ["t", "n", 1])}, weights)
    asked = [np.full((t, n, 1), 0.5, F) for t, n in ((3, 2), (1, 1))]
    yield "a hard sigmoid", made, [({"x": x}, [np.full((x.shape[0], 1, x.shape[1], 1), 0.5, F)]) for x in asked], EAGER
    x = np.full((2, 1, 1), 4, F)
    settings = {"hidden_size": 1, "activations": ["Tanh"], "clip": 0.5, "direction": "reverse"}
    nodes = [node("RNN", ["c", "w", "r"], ["h"], **settings), node("Add", ["h", "x"], ["y"])]
    made = model_of(nodes, {"x": (F, [1])}, {"c": x, **weights})
    yield "a layer of constants", made, [({"x": np.zeros(1, F)}, [np.full((2, 1, 1, 1), np.tanh(F(0.5)), F)])], EAGER


def refused():
    """Yield nodes that are refused, with the words that name why."""
    yield node("Gelu", ["x"], ["y"], approximate='none") + print("'), "Gelu whose approximate is"
    weights = {"w": np.ones((1, 1, 1), F), "r": np.zeros((1, 1, 1), F)}
    yield node("RNN", ["x", "w", "r"], ["y"], hidden_size=1, activations=["Foo"]), "RNN with activation Foo", weights
    yield node("RNN", ["x", "w", "r"], ["y"], hidden_size=1, activations=["Affine"]), "Affine without its", weights
    settings = {"coordinate_transformation_mode": "asymmetric", "mode": "linear"}
    yield (
        node("Resize", ["x", "", "s"], ["y"], **settings),
        "Resize by scales that leave short",
        {"s": np.array([1.1, 1, 1], F)},
    )
    yield node("Pad", ["x", "p"], ["y"], mode="wrap"), "Pad that takes away", {"p": np.array([-1, 0, 0, 2, 0, 0])}
    yield node("MaxPool", ["x"], ["y"], kernel_shape=[1] * 4), "MaxPool over 4 axes"


def wrong_in(made, pairs, forms, folder):
    """Return what is wrong; nothing where all is right."""
    example = pairs[0][0]
    told = []
    for form, ask in opened(made, folder, forms, example):
        for given, rights in pairs:
            found = ask(given)
            differences = (difference(*each) for each in zip(found, rights, strict=True))
            told += [f"{form}: {what}" for what in differences if what]
    return "; ".join(told)


def main():
    warnings.simplefilter("ignore")
    found, root = {}, Path(tempfile.mkdtemp())
    for family in (types, signs, quantized, rounded, names, loops, single, activations):
        for name, made, pairs, forms in family():
            try:
                found[name] = wrong_in(made, pairs, forms, root / str(len(found)))
            except Exception as error:  # noqa: BLE001
                found[name] = f"{type(error).__name__}: {error}"[:300]
    for asked, why, *weights in refused():
        made = model_of([asked], {"x": (F, ["t", "n", 1])}, *weights, opset=20)
        try:
            generate(made)
            found[why] = "is not refused"
        except ModelportError as error:
            found[why] = "" if why in error.message else error.message
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
