"""Small ONNX models of what TVM's frontend is known, or was seen, to misread: each has an output for every trap."""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def numbers(*shape, seed=0):
    return (np.random.default_rng(seed).standard_normal(shape) * 0.5).astype(np.float32)


def model(nodes: Sequence, inputs: dict, outputs: Sequence[str], weights: dict | None = None, opset: int = 17):
    """Return a model whose inputs have these shapes and whose outputs' shapes nobody tells."""
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in (weights or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def slopes():
    """PRelu, with slopes of every rank that broadcasts to an image whose channels, height and width are equal."""
    shapes = {"scalar": (), "one": (1,), "last": (4,), "channels": (4, 1, 1), "rows": (1, 4, 1), "whole": (4, 4, 4)}
    weights = {name: numbers(*shape, seed=1 + number) for number, (name, shape) in enumerate(shapes.items())}
    nodes = [helper.make_node("PRelu", ["image", name], [f"{name}_out"]) for name in shapes]
    return model(nodes, {"image": ["batch", 4, 4, 4]}, [f"{name}_out" for name in shapes], weights)


def axes(opset):
    """Squeeze, Unsqueeze and reductions, whose axes are attributes before operator set 13, and for most before 18."""
    weights = {"two": np.array([2], np.int64), "pair": np.array([1, 3], np.int64)}
    kernel = {"kernel": numbers(4, 4, 1, 4)}
    nodes = [helper.make_node("Conv", ["image", "kernel"], ["thin"])]
    squeezed = {"axes": [3]} if opset < 13 else {}
    nodes.append(helper.make_node("Squeeze", ["thin", *([] if squeezed else ["three"])], ["squeezed"], **squeezed))
    weights["three"] = np.array([3], np.int64)
    outputs = ["squeezed"]
    for operator in ("ReduceMean", "ReduceMax", "ReduceSum", "ReduceL2"):
        is_input = opset >= (13 if operator == "ReduceSum" else 18)
        for name, chosen in (("two", [2]), ("pair", [1, 3])):
            for keep in (0, 1):
                output = f"{operator}_{name}_{keep}"
                given = ["image", name] if is_input else ["image"]
                told = {} if is_input else {"axes": chosen}
                nodes.append(helper.make_node(operator, given, [output], keepdims=keep, **told))
                outputs.append(output)
    return model(nodes, {"image": ["batch", 4, 4, 4]}, outputs, weights | kernel, opset)


def recurrent(steps):
    """LSTM, GRU with both resets and RNN, both ways or one, from states or zeros, with all of their outputs."""
    nodes, weights, outputs = [], {}, []
    kinds = {
        "lstm": ("LSTM", 4, 2, {"direction": "bidirectional"}, True),
        "early": ("GRU", 3, 2, {"direction": "bidirectional", "linear_before_reset": 0}, True),
        "late": ("GRU", 3, 1, {"direction": "reverse", "linear_before_reset": 1}, False),
        "rnn": ("RNN", 1, 1, {}, False),
    }
    for seed, (name, (operator, gates, count, told, is_started)) in enumerate(kinds.items()):
        weights[f"{name}_w"] = numbers(count, gates * 5, 3, seed=seed)
        weights[f"{name}_r"] = numbers(count, gates * 5, 5, seed=seed + 10)
        weights[f"{name}_b"] = numbers(count, gates * 10, seed=seed + 20)
        given = ["sequence", *(f"{name}_{part}" for part in "wrb")]
        given += (["", "state"] + (["state"] if operator == "LSTM" else [])) if is_started else []
        found = [f"{name}_y", f"{name}_h", *([f"{name}_c"] if operator == "LSTM" else [])]
        nodes.append(helper.make_node(operator, given, found, name, hidden_size=5, **told))
        outputs += found
    return model(nodes, {"sequence": [steps, "batch", 3], "state": [2, "batch", 5]}, outputs, weights)


def choice():
    """Rows of a table by number, those from its end, too."""
    nodes = [helper.make_node("Gather", ["table", "places"], ["rows"], "choose", axis=0)]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("places", TensorProto.INT64, ["batch", 3])],
        [helper.make_tensor_value_info("rows", FLOAT, ["batch", 3, 4])],
        [numpy_helper.from_array(numbers(7, 4), "table")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def elements():
    """Elements of the rows of a table, by numbers that a request gives."""
    nodes = [helper.make_node("GatherElements", ["table", "places"], ["rows"], "choose", axis=0)]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("places", TensorProto.INT64, [3, 4])],
        [helper.make_tensor_value_info("rows", FLOAT, [3, 4])],
        [numpy_helper.from_array(numbers(7, 4), "table")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def affine(operator="Relu", **attributes):
    """A layer, and an operator named `odd` behind it."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["product"]),
        helper.make_node(operator, ["product"], ["y"], "odd", **attributes),
    ]
    return model(nodes, {"x": ["batch", 4]}, ["y"], {"w": numbers(4, 4)})


def loop():
    """Add a number to itself three times."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["going"]),
            helper.make_node("Add", ["value", "value"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("step", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", FLOAT, ["batch", 4]),
        ],
        [
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", FLOAT, ["batch", 4]),
        ],
    )
    nodes = [helper.make_node("Loop", ["count", "always", "x"], ["y"], "again", body=body)]
    weights = {"count": np.array(3, np.int64), "always": np.array(True)}
    return model(nodes, {"x": ["batch", 4]}, ["y"], weights)


def branches(is_constant):
    """One of two branches, by a constant, or by what the input is."""

    def branch(name, operator):
        node = helper.make_node(operator, ["x"], [name])
        return helper.make_graph([node], name, [], [helper.make_tensor_value_info(name, FLOAT, ["batch", 4])])

    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Less", ["zero", "sum"], ["computed"]),
        helper.make_node(
            "If",
            ["always" if is_constant else "computed"],
            ["y"],
            "either",
            then_branch=branch("then", "Tanh"),
            else_branch=branch("else", "Neg"),
        ),
    ]
    return model(nodes, {"x": ["batch", 4]}, ["y"], {"zero": np.array(0, np.float32), "always": np.array(True)})


def sliced():
    """Rows of a free batch, all of them by an end far beyond it, as exporters write it."""
    names = {"starts": [0, 1], "ends": [10**9, 3], "chosen": [0, 1]}
    nodes = [helper.make_node("Slice", ["x", *names], ["part"]), helper.make_node("Softmax", ["part"], ["y"], axis=1)]
    return model(nodes, {"x": ["batch", 4]}, ["y"], {name: np.array(each, np.int64) for name, each in names.items()})


def resized(scale, channels=1):
    """An image whose sides are scaled."""
    nodes = [
        helper.make_node(
            "Resize", ["image", "", "scales"], ["y"], "larger", mode="linear" if channels == 1 else "nearest"
        )
    ]
    weights = {"scales": np.array([1, channels, scale, scale], np.float32)}
    return model(nodes, {"image": ["batch", 2, 5, 7]}, ["y"], weights)


def layer(name):
    """An LSTM layer that gives its last cell state alone."""
    weights = {f"{name}_w": numbers(1, 12, 4, seed=5), f"{name}_r": numbers(1, 12, 3, seed=6)}
    return helper.make_node("LSTM", ["sequence", *weights], ["", "", name], hidden_size=3), weights


def of_old():
    """Operators of set 9, whose forms are others today: scales, bounds, axes and numbers of elements as attributes."""
    lstms = [layer(name) for name in ("first", "second")]
    lstms[1][1]["second_w"] = numbers(1, 12, 4, seed=7)
    scales = {"scales": np.array([1, 1, 2, 3], np.float32)}
    nodes = [
        helper.make_node("Upsample", ["image", "scales"], ["upsampled"], mode="linear"),
        helper.make_node("Upsample", ["image", "scales"], ["nearest"]),
        helper.make_node("TopK", ["image"], ["largest", "places"], axis=2, k=2),
        helper.make_node("Slice", ["image"], ["sliced"], axes=[2, 3], starts=[-3, 1], ends=[10**9, -1]),
        helper.make_node("Softmax", ["image"], ["softmax"], axis=2),
        *(node for node, _ in lstms),
    ]
    outputs = ["upsampled", "nearest", "largest", "sliced", "softmax", "first", "second"]
    inputs = {"image": ["batch", 2, 4, 5], "sequence": [3, "batch", 4]}
    return model(nodes, inputs, outputs, scales | lstms[0][1] | lstms[1][1], opset=9)


def bounds():
    """Pieces of a free axis, some of which are empty where it is short, beside the whole."""
    pieces = {"rest": (1, 10**9, 1), "most": (0, -1, 1), "last": (-2, 2**31 - 1, 1), "none": (-4, -5, 1)}
    pieces |= {"second": (1, 2**63 - 1, 2), "back": (-1, -(10**9), -1)}
    nodes, weights = [], {"axes": np.array([1], np.int64)}
    for name, numbers_ in pieces.items():
        parts = [f"{name}_{part}" for part in ("starts", "ends", "steps")]
        weights |= {part: np.array([number], np.int64) for part, number in zip(parts, numbers_, strict=True)}
        nodes.append(helper.make_node("Slice", ["x", *parts[:2], "axes", parts[2]], [name]))
    nodes.append(helper.make_node("Concat", ["x", *pieces], ["y"], axis=1))
    return model(nodes, {"x": ["batch", "steps", 4]}, ["y"], weights)


def nothing():
    """Slices of fixed lengths that hold nothing, of a free batch."""
    weights = {"starts": [2], "ends": [1], "chosen": [1], "steps": [1]}
    nodes = [
        helper.make_node("Slice", ["x", *weights], ["part"]),
        helper.make_node("Concat", ["part", "x"], ["y"], axis=1),
    ]
    return model(
        nodes, {"x": ["batch", 3, 4]}, ["y"], {name: np.array(each, np.int64) for name, each in weights.items()}
    )


def scaled():
    """Rows that a number is multiplied with, which has no axes."""
    nodes = [helper.make_node("Mul", ["x", "factor"], ["y"])]
    return model(nodes, {"x": ["batch", 4], "factor": []}, ["y"])


def smallest():
    """Places of the largest among bytes that are zero more often than not."""
    nodes = [
        helper.make_node("Greater", ["x", "much"], ["is_much"]),
        helper.make_node("Cast", ["is_much"], ["bytes"], to=TensorProto.UINT8),
        helper.make_node("ArgMax", ["bytes"], ["place"], axis=1),
        helper.make_node("Cast", ["place"], ["y"], to=FLOAT),
    ]
    return model(nodes, {"x": ["batch", 4]}, ["y"], {"much": np.array(1, np.float32)})


def strides():
    """Pooling whose strides are longer than its window, padded as far as it needs."""
    told = {"kernel_shape": [2], "strides": [3]}
    names = ("SAME_LOWER", "SAME_UPPER")
    nodes = [helper.make_node("MaxPool", ["x"], [name], auto_pad=name, **told) for name in names]
    return model(nodes, {"x": ["batch", 3, 5]}, names)


def same_names():
    """Two branches whose values have the same names."""

    def branch(name, number):
        nodes = [helper.make_node("Add", ["x", "weight"], ["sum"]), helper.make_node("Neg", ["sum"], [name])]
        weight = numpy_helper.from_array(np.full(4, number, np.float32), "weight")
        return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(name, FLOAT, ["batch", 4])], [weight])

    nodes = [
        helper.make_node(
            "If", ["always"], [name], name, then_branch=branch("then", number), else_branch=branch("else", 0)
        )
        for number, name in enumerate(("y", "z"), 1)
    ]
    return model(nodes, {"x": ["batch", 4]}, ["y", "z"], {"always": np.array(True)})


def normalized():
    """A normalisation over two axes, scaled along the last alone."""
    node = helper.make_node("LayerNormalization", ["x", "scale"], ["y"], "norm", axis=-2)
    return model([node], {"x": ["batch", 4, 4]}, ["y"], {"scale": numbers(4)})


def expanded():
    """A row as often as the values of a request say: once or twice."""
    nodes = [
        helper.make_node("Greater", ["x", "zero"], ["is_more"]),
        helper.make_node("Cast", ["is_more"], ["more"], to=TensorProto.INT64),
        helper.make_node("Add", ["more", "one"], ["rows"]),
        helper.make_node("Expand", ["row", "rows"], ["repeated"], "repeat"),
        helper.make_node("ReduceSum", ["repeated"], ["sum"]),
        helper.make_node("Add", ["sum", "x"], ["y"]),
    ]
    weights = {"zero": np.zeros(1, np.float32), "one": np.ones(1, np.int64), "row": np.ones(1, np.float32)}
    return model(nodes, {"x": [1]}, ["y"], weights)


def save(made: onnx.ModelProto, folder):
    """Write a model; return its path."""
    folder.mkdir(exist_ok=True)
    onnx.save(made, folder / "model.onnx")
    return folder / "model.onnx"
