"""Small ONNX models, each with what a converter to TensorFlow could get wrong, and questions to them."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

Arrays = Mapping[str, np.ndarray]
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
OPSET = 17


class Case(NamedTuple):
    """A model, and what it is asked."""

    name: str
    model: ModelProto
    questions: Sequence[Arrays]
    lite: bool = False
    """Whether TensorFlow Lite has what it needs."""


def random(*shape: int, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


def build(
    nodes: Sequence[Any],
    inputs: Mapping[str, Sequence[Any]],
    outputs: Sequence[str],
    weights: Arrays | None = None,
    *,
    opset: int = OPSET,
    kinds: Mapping[str, int] | None = None,
) -> ModelProto:
    """Return a model; lengths that are texts are free."""
    kinds = kinds or {}
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info(name, kinds.get(name, FLOAT), shape) for name, shape in inputs.items()],
        [helper.make_value_info(name, helper.make_tensor_type_proto(kinds.get(name, FLOAT), None)) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def node(kind: str, inputs: Sequence[str], outputs: Sequence[str] = ("y",), **attributes: Any) -> Any:
    return helper.make_node(kind, list(inputs), list(outputs), **attributes)


# --- recurrent layers -------------------------------------------------------------------------------------------------

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def recurrent(
    name: str,
    kind: str,
    direction: str = "forward",
    *,
    time: Any = "time",
    batches: Sequence[int] = (1, 3),
    times: Sequence[int] = (1, 2, 9),
    lengths: bool = False,
    states: bool = False,
    peepholes: bool = False,
    bias: bool = True,
    **attributes: Any,
) -> Case:
    hidden, features, ways = 5, 3, 2 if direction == "bidirectional" else 1
    gates = GATES[kind] * hidden
    weights = {"W": random(ways, gates, features, seed=1), "R": random(ways, gates, hidden, seed=2, scale=0.5)}
    given, shapes = ["x", "W", "R"], {"x": [time, "batch", features]}
    kinds = {"lengths": TensorProto.INT32}
    if bias:
        weights["B"] = random(ways, 2 * gates, seed=3)
    given.append("B" if bias else "")
    given.append("lengths" if lengths else "")
    if lengths:
        shapes["lengths"] = ["batch"]
    for each in ("h", "c")[: 2 if kind == "LSTM" else 1]:
        given.append(each if states else "")
        if states:
            shapes[each] = [ways, "batch", hidden]
    if peepholes:
        weights["P"] = random(ways, 3 * hidden, seed=4)
        given.append("P")
    results = ["y", "y_h", "y_c"] if kind == "LSTM" else ["y", "y_h"]
    model = build(
        [node(kind, given, results, direction=direction, hidden_size=hidden, **attributes)],
        shapes, results, weights, kinds=kinds,
    )  # fmt: skip
    questions = []
    for batch, steps in product(batches, times if isinstance(time, str) else (time,)):
        asked = {"x": random(steps, batch, features, seed=batch + steps)}
        if lengths:
            asked["lengths"] = np.array([max(1, steps - each) for each in range(batch)], np.int32)
        for each in set(shapes) - {"x", "lengths"}:
            asked[each] = random(ways, batch, hidden, seed=7)
        questions.append(asked)
    return Case(name, model, questions, lite=True)


def recurrent_cases() -> list[Case]:
    return [
        *(
            recurrent(f"{kind.lower()}-{direction}", kind, direction)
            for kind in GATES
            for direction in ("forward", "reverse", "bidirectional")
        ),
        *(recurrent(f"{kind.lower()}-one-step", kind, "bidirectional", time=1) for kind in GATES),
        *(
            recurrent(f"{kind.lower()}-lengths", kind, "bidirectional", lengths=True, states=True)._replace(lite=False)
            for kind in GATES
        ),
        *(recurrent(f"{kind.lower()}-states", kind, states=True, time=6) for kind in GATES),
        *(recurrent(f"{kind.lower()}-no-bias", kind, bias=False, time=4) for kind in GATES),
        recurrent("gru-reset-after", "GRU", "bidirectional", linear_before_reset=1),
        recurrent("gru-reset-before", "GRU", "bidirectional", linear_before_reset=0, states=True),
        recurrent("gru-reset-after-one-step", "GRU", time=1, linear_before_reset=1),
        recurrent("lstm-peepholes", "LSTM", "bidirectional", peepholes=True),
        recurrent("lstm-coupled", "LSTM", input_forget=1),
        recurrent("lstm-clipped", "LSTM", clip=0.4),
        recurrent("gru-clipped", "GRU", clip=0.4),
        recurrent("rnn-relu", "RNN", "bidirectional", activations=["Relu", "Tanh"], times=(4,)),
        recurrent(
            "lstm-activations", "LSTM", activations=["HardSigmoid", "Tanh", "LeakyRelu"],
            activation_alpha=[0.3, 0.1], activation_beta=[0.4],
        ),
        recurrent("gru-activations", "GRU", activations=["Sigmoid", "Softsign"]),
        recurrent("lstm-long", "LSTM", "bidirectional", times=(300,), batches=(2,)),
    ]  # fmt: skip


# --- images -----------------------------------------------------------------------------------------------------------


def image(
    name: str,
    nodes: Sequence[Any],
    weights: Arrays | None = None,
    *,
    channels: int = 4,
    sizes: Sequence[Sequence[int]] = ((9, 7), (12, 16)),
    outputs: Sequence[str] = ("y",),
    opset: int = OPSET,
    lite: bool = False,
    fixed: bool = False,
    kinds: Mapping[str, int] | None = None,
) -> Case:
    """A model of images whose height and width are free, or fixed to the first sizes."""
    axes = [f"size{each}" for each in range(len(sizes[0]))]
    shape = ["batch", channels, *(sizes[0] if fixed else axes)]
    model = build(nodes, {"x": shape}, outputs, weights, opset=opset, kinds=kinds)
    asked = sizes[:1] if fixed else sizes
    questions = [{"x": random(batch, channels, *size, seed=batch)} for batch in (1, 3) for size in asked]
    return Case(name, model, questions, lite)


def convolutions() -> list[Case]:
    cases = []
    settings = {
        "plain": {},
        "strides": {"strides": 2, "pads": (1, 2)},
        "dilated": {"dilations": 2, "pads": (2, 0)},
        "strides-dilated": {"strides": 2, "dilations": 2, "pads": (1, 1)},
        "same-upper": {"auto_pad": "SAME_UPPER", "strides": 2},
        "same-lower": {"auto_pad": "SAME_LOWER", "strides": 2},
    }
    sizes = {1: ((13,), (20,)), 2: ((9, 11), (12, 16)), 3: ((7, 8, 9), (6, 6, 7))}
    for count, group, (name, told) in product((1, 2, 3), (1, 2, 4), settings.items()):
        attributes: dict[str, Any] = {"kernel_shape": [3] * count, "group": group}
        for each, value in told.items():
            if each == "pads":
                attributes[each] = [value[0]] * count + [value[1]] * count
            else:
                attributes[each] = value if isinstance(value, str) else [value] * count
        if "auto_pad" in told and count == 3 and group > 1:
            continue
        weights = {"w": random(8, 4 // group, *[3] * count, seed=5), "b": random(8, seed=6)}
        nodes = [node("Conv", ["x", "w", "b"], ["c"], **attributes), node("Relu", ["c"])]
        lite = count < 3 and name == "plain" and group != 2
        cases.append(image(f"conv{count}d-{name}-{group}", nodes, weights, sizes=sizes[count], lite=lite))
    for count, group in product((1, 2, 3), (1, 2)):
        for name, attributes in {
            "plain": {},
            "strides": {"strides": [2] * count, "output_padding": [1] * count, "pads": [1] * (2 * count)},
            "dilated": {"dilations": [2] * count, "strides": [2] * count, "pads": [1] * count + [0] * count},
            "same": {"auto_pad": "SAME_UPPER", "strides": [2] * count},
        }.items():
            weights = {"w": random(4, 6 // group, *[3] * count, seed=5), "b": random(6, seed=6)}
            nodes = [node("ConvTranspose", ["x", "w", "b"], group=group, kernel_shape=[3] * count, **attributes)]
            lite = count == 2 and group == 1 and name == "plain"
            cases.append(image(f"transposed{count}d-{name}-{group}", nodes, weights, sizes=sizes[count], lite=lite))
    return cases


def pools() -> list[Case]:
    settings = {
        "plain": {"kernel_shape": [2, 2], "strides": [2, 2]},
        "pads": {"kernel_shape": [3, 3], "strides": [2, 1], "pads": [1, 0, 0, 1]},
        "ceil": {"kernel_shape": [3, 2], "strides": [2, 3], "ceil_mode": 1},
        "ceil-pads": {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1},
        "same-lower": {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_LOWER"},
        "dilated": {"kernel_shape": [2, 3], "strides": [2, 1], "dilations": [2, 2], "pads": [1, 1, 0, 1]},
    }
    cases = [
        image(f"max-{name}", [node("MaxPool", ["x"], **told)], lite=name != "dilated")
        for name, told in settings.items()
    ]
    for name, told in settings.items():
        if name == "dilated":  # of an operator set of its own
            continue
        for counted in (0, 1):
            nodes = [node("AveragePool", ["x"], count_include_pad=counted, **told)]
            cases.append(image(f"average-{name}-{counted}", nodes))
    cases.append(  # ONNX Runtime has a window of what there is of an image smaller than it
        image("max-small", [node("MaxPool", ["x"], kernel_shape=[2, 2], strides=[2, 2])], sizes=((1, 8), (9, 1)))
    )
    cases.append(
        image(
            "max-places",
            [node("MaxPool", ["x"], ["y", "places"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])],
            outputs=("y", "places"),
            kinds={"places": INT64},
        )
    )
    return cases


def resizes() -> list[Case]:
    cases = []
    ways = ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
    for mode, way, scale in product(("nearest", "linear", "cubic"), ways, (2.0, 1.5, 0.6)):
        attributes: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": way}
        if mode == "nearest":
            attributes["nearest_mode"] = "floor" if way == "asymmetric" else "round_prefer_floor"
        weights = {"scales": np.array([1, 1, scale, scale], np.float32)}
        nodes = [node("Resize", ["x", "", "scales"], **attributes)]
        lite = scale == 2.0 and mode != "cubic"
        cases.append(image(f"resize-{mode}-{way}-{scale}", nodes, weights, sizes=((6, 9), (11, 5)), lite=lite))
    weights = {"sizes": np.array([1, 4, 13, 5], np.int64)}
    nodes = [node("Resize", ["x", "", "", "sizes"], mode="linear")]
    cases.append(
        Case(
            "resize-sizes",
            build(nodes, {"x": [1, 4, "height", "width"]}, ["y"], weights),
            [{"x": random(1, 4, 7, 9)}, {"x": random(1, 4, 20, 4)}],
        )
    )
    return cases


def layouts() -> list[Case]:
    """Images as high and wide as they have channels, between convolutions and what tells axes apart."""
    side = 4
    weights = {"w": random(side, side, 3, 3, seed=5), "b": random(side, seed=6)}
    conv = node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1], kernel_shape=[3, 3])
    told = {
        "softmax": [node("Softmax", ["c"], axis=1)],
        "softmax-width": [node("Softmax", ["c"], axis=-1)],
        "flat": [node("Flatten", ["c"])],
        "turned": [node("Transpose", ["c"], perm=[0, 2, 3, 1])],
        "swapped": [node("Transpose", ["c"], perm=[0, 3, 1, 2])],
        "mean": [node("ReduceMean", ["c"], axes=[1], keepdims=1)],
        "mean-height": [node("ReduceMean", ["c"], axes=[2], keepdims=0)],
        "mean-both": [node("ReduceMean", ["c"], axes=[2, 3], keepdims=1) ],
        "joined": [node("Concat", ["c", "c"], axis=1)],
        "joined-width": [node("Concat", ["c", "c"], axis=3)],
        "scaled": [node("Mul", ["c", "by_channel"], ["s"]), node("Add", ["s", "by_width"])],
        "slopes": [node("PRelu", ["c", "by_channel"])],
        "slopes-width": [node("PRelu", ["c", "by_width"])],
        "split": [node("Split", ["c", "parts"], ["l", "r"], axis=1), node("Concat", ["r", "l"], axis=1)],
        "sliced": [node("Slice", ["c", "one", "three", "one"])],
        "padded": [node("Pad", ["c", "around"], mode="reflect")],
        "again": [node("Relu", ["c"], ["r"]), node("Conv", ["r", "w"], pads=[1, 1, 1, 1], kernel_shape=[3, 3])],
        "gated": [
            node("GlobalAveragePool", ["c"], ["g"]),
            node("Sigmoid", ["g"], ["s"]),
            node("Mul", ["c", "s"]),
        ],
        "raw": [node("Add", ["c", "x"])],
        "squared": [node("MatMul", ["c", "x"])],
    }  # fmt: skip
    more = {
        "by_channel": random(side, 1, 1, seed=8),
        "by_width": random(side, seed=9),
        "parts": np.array([1, 3], np.int64),
        "one": np.array([1], np.int64),
        "three": np.array([3], np.int64),
        "around": np.array([0, 0, 1, 2, 0, 0, 2, 1], np.int64),
    }
    return [
        image(f"layout-{name}", [conv, *nodes], weights | more, sizes=((side, side), (6, 8)), fixed=fixed, lite=True)
        if not fixed
        else image(f"layout-{name}-fixed", [conv, *nodes], weights | more, sizes=((side, side),), fixed=True)
        for name, nodes in told.items()
        for fixed in (False, True)
        if fixed or name not in {"slopes-width", "scaled", "squared"}
    ]


# --- others -----------------------------------------------------------------------------------------------------------


def reductions() -> list[Case]:
    shape = {"x": ["batch", "a", 3]}
    questions = [{"x": random(batch, length, 3, seed=length)} for batch, length in ((1, 1), (2, 5))]
    axes = {"axes": np.array([-1, 1], np.int64), "none": np.array([], np.int64)}
    cases = []
    for kind in ("ReduceMean", "ReduceMax", "ReduceL2", "ReduceLogSumExp", "ReduceSumSquare"):
        for name, nodes in {
            "axes": [node(kind, ["x", "axes"], keepdims=0)],
            "all": [node(kind, ["x"], keepdims=1)],
            "empty": [node(kind, ["x", "none"], keepdims=1)],
            "noop": [node(kind, ["x", "none"], noop_with_empty_axes=1)],
        }.items():
            if name == "noop" and kind != "ReduceMax":  # ONNX Runtime leaves the numbers as they are
                continue
            cases.append(Case(f"{kind}-{name}", build(nodes, shape, ["y"], axes, opset=18), questions))
        if kind != "ReduceMax":
            nodes = [node(kind, ["x"], axes=[1], keepdims=0)]
            cases.append(Case(f"{kind}-13", build(nodes, shape, ["y"], opset=13), questions))
    nodes = [node("ReduceSum", ["x", "none"], noop_with_empty_axes=1)]
    cases.append(Case("ReduceSum-noop", build(nodes, shape, ["y"], axes, opset=13), questions))
    return cases


def integers() -> list[Case]:
    numbers = np.array([-7, -6, -1, 1, 6, 7], np.int64)
    kinds = dict.fromkeys(("x", "d", "quotient", "rest", "c"), INT64)
    nodes = [
        node("Div", ["x", "d"], ["quotient"]),
        node("Mod", ["x", "d"], ["rest"]),
        node("Mod", ["x", "d"], ["c"], fmod=1),
    ]
    model = build(nodes, {"x": ["n"], "d": ["n"]}, ["quotient", "rest", "c"], kinds=kinds)
    questions = [{"x": numbers, "d": np.full(6, divisor, np.int64)} for divisor in (3, -3)]
    return [Case("integers", model, questions)]


def orders() -> list[Case]:
    ties = np.array([[3, 1, 3, 1, 2, 3], [0, 0, 0, 0, 0, 0]], np.float32)
    kinds = {"places": INT64, "y": FLOAT}
    count = {"k": np.array([4], np.int64)}
    cases = [
        Case(
            f"top-{largest}",
            build([node("TopK", ["x", "k"], ["y", "places"], largest=largest)], {"x": ["batch", 6]}, list(kinds)[::-1],
                  count, kinds=kinds),
            [{"x": ties}],
            lite=largest == 1,
        )
        for largest in (0, 1)
    ]  # fmt: skip
    for kind, last in product(("ArgMax", "ArgMin"), (0, 1)):
        nodes = [node(kind, ["x"], axis=1, select_last_index=last)]
        model = build(nodes, {"x": ["batch", 6]}, ["y"], kinds={"y": INT64})
        cases.append(Case(f"{kind}-{last}", model, [{"x": ties}]))
    boxes = np.array([[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, 5, 1, 6], [0, 5, 1, 6.05]], np.float32)
    weights = {"most": np.array([3], np.int64), "iou": np.array([0.5], np.float32), "low": np.array([0.1], np.float32)}
    model = build(
        [node("NonMaxSuppression", ["boxes", "scores", "most", "iou", "low"])],
        {"boxes": ["batch", "n", 4], "scores": ["batch", 2, "n"]}, ["y"], weights, kinds={"y": INT64},
    )  # fmt: skip
    scores = np.array([[[0.9, 0.8, 0.7, 0.7], [0.05, 0.3, 0.2, 0.6]]], np.float32)
    cases.append(
        Case(
            "boxes",
            model,
            [{"boxes": boxes[np.newaxis].repeat(batch, 0), "scores": scores.repeat(batch, 0)} for batch in (1, 2)],
        )
    )
    return cases


def control() -> list[Case]:
    scalar = numpy_helper.from_array(np.array(1.5, np.float32), "s")
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            node("Concat", ["before", "x"], ["after"], axis=0),
            node("ReduceSum", ["after"], ["row"], keepdims=0),
            node("Identity", ["going"], ["goes"]),
        ],
        "body",
        [value("i", INT64, []), value("going", TensorProto.BOOL, []), value("before", FLOAT, ["n", 2])],
        [value("goes", TensorProto.BOOL, []), value("after", FLOAT, ["m", 2]), value("row", FLOAT, [])],
    )
    loop = build(
        [node("Loop", ["most", "", "x"], ["y", "rows"], body=body)],
        {"x": ["n", 2], "most": []}, ["y", "rows"], kinds={"most": INT64},
    )  # fmt: skip
    asked = [{"x": random(2, 2), "most": np.array(most)} for most in (0, 1, 4)]
    then = helper.make_graph([node("Mul", ["x", "s"], ["t"])], "then", [], [value("t", FLOAT, None)], [scalar])
    other = helper.make_graph([node("Neg", ["x"], ["e"])], "other", [], [value("e", FLOAT, None)])
    branch = build(
        [node("ReduceSum", ["x"], ["total"], keepdims=0), node("Greater", ["total", "zero"], ["c"]),
         node("If", ["c"], then_branch=then, else_branch=other)],
        {"x": ["n", 2]}, ["y"], {"zero": np.array(0, np.float32)},
    )  # fmt: skip
    # ONNX Runtime finds out where it comes there
    unfit = helper.make_graph(
        [
            node("Unsqueeze", ["x", "first"], ["steps"]),
            node("RNN", ["steps", "wide", "again"], ["", "e"], hidden_size=3),
        ],
        "other",
        [],
        [value("e", FLOAT, None)],
    )
    left_out = build(
        [node("ReduceSum", ["x"], ["total"], keepdims=0), node("Greater", ["total", "zero"], ["c"]),
         node("If", ["c"], then_branch=then, else_branch=unfit)],
        {"x": ["n", 2]}, ["y"],
        {"zero": np.array(0, np.float32), "first": np.array([0], np.int64), "wide": random(1, 3, 4),
         "again": random(1, 3, 3)},
    )  # fmt: skip
    squeezed = helper.make_graph([node("Squeeze", ["x", "axis"], ["t"])], "then", [], [value("t", FLOAT, None)])
    kept = helper.make_graph([node("Identity", ["x"], ["e"])], "other", [], [value("e", FLOAT, None)])
    squeeze = build(
        [node("Shape", ["x"], ["shape"]), node("Gather", ["shape", "two"], ["length"]),
         node("Equal", ["length", "one"], ["c"]), node("If", ["c"], ["z"], then_branch=squeezed, else_branch=kept),
         node("MatMul", ["z", "w"], ["m"]), node("Unsqueeze", ["m", "axis"])],
        {"x": ["batch", 3, "time"]}, ["y"],
        {"two": np.array(2, np.int64), "one": np.array(1, np.int64), "axis": np.array([2], np.int64),
         "w": random(3, 4)},
    )  # fmt: skip
    step = helper.make_graph(
        [node("Add", ["state", "row"], ["sum"]), node("Identity", ["sum"], ["out"])],
        "step",
        [value("state", FLOAT, [2]), value("row", FLOAT, [2])],
        [value("sum", FLOAT, [2]), value("out", FLOAT, [2])],
    )
    scan = build(
        [node("Scan", ["start", "x"], ["last", "y"], body=step, num_scan_inputs=1, scan_input_axes=[1],
              scan_output_directions=[1])],
        {"x": [2, "time"]}, ["last", "y"], {"start": np.zeros(2, np.float32)},
    )  # fmt: skip
    return [
        Case("loop", loop, asked),
        Case("branch", branch, [{"x": np.abs(random(3, 2))}, {"x": -np.abs(random(2, 2))}], lite=True),
        Case("branch-of-other-shapes", left_out, [{"x": np.abs(random(3, 2))}]),
        Case("squeeze-of-one", squeeze, [{"x": random(2, 3, 1)}, {"x": random(1, 3, 1)}], lite=True),
        Case("scan", scan, [{"x": random(2, length)} for length in (1, 5)]),
    ]


def shapes() -> list[Case]:
    lengths = [node("Shape", ["x"], ["shape"]), node("Gather", ["shape", "zero"], ["rows"])]
    weights = {
        "zero": np.array(0, np.int64), "first": np.array([0], np.int64), "minus": np.array([-1], np.int64),
        "two": np.array([2], np.int64), "all": np.array([-1, 1, 3], np.int64),
        "ones": np.array([1, 1, 1], np.int64), "bias": random(1, 3, seed=3),
    }  # fmt: skip
    flat = build(
        [*lengths, node("Unsqueeze", ["rows", "first"], ["r"]), node("Concat", ["r", "minus"], ["target"], axis=0),
         node("Reshape", ["x", "target"])],
        {"x": ["batch", "time", 3]}, ["y"], weights,
    )  # fmt: skip
    halves = build(
        [node("Shape", ["x"], ["shape"]), node("Slice", ["shape", "first", "two"], ["front"]),
         node("ReduceProd", ["front"], ["count"], keepdims=1), node("Concat", ["count", "last"], ["target"], axis=0),
         node("Reshape", ["x", "target"], ["flat"]), node("Add", ["flat", "bias"])],
        {"x": ["batch", "time", 3]}, ["y"], weights | {"last": np.array([3], np.int64)},
    )  # fmt: skip
    expand = build(
        [node("Shape", ["x"], ["shape"]), node("Equal", ["all", "minus"], ["free"]),
         node("Where", ["free", "shape", "all"], ["target"]), node("Expand", ["one", "target"])],
        {"x": ["batch", "time", 3]}, ["y"], weights | {"one": random(1, 1, 3)},
    )  # fmt: skip
    names = build([node("Add", ["b.1/x:0", "a"], ["z y"]), node("Sub", ["b.1/x:0", "a"], ["1"])],
                  {"b.1/x:0": ["n"], "a": ["n"]}, ["z y", "1"])  # fmt: skip
    asked = [{"x": random(batch, time, 3)} for batch, time in ((1, 1), (3, 5))]
    gelu = build(
        [node("Div", ["x", "root"], ["d"]), node("Erf", ["d"], ["e"]), node("Add", ["e", "unit"], ["p"]),
         node("Mul", ["x", "p"])],
        {"x": ["n"]}, ["y"], {"root": np.array(2**0.5, np.float32), "unit": np.array(1, np.float32)},
    )  # fmt: skip
    return [
        Case("reshape", flat, asked, lite=True),
        Case("reshape-product", halves, asked, lite=True),
        Case("expand", expand, asked, lite=True),
        Case("names", names, [{"b.1/x:0": random(3, seed=1), "a": random(3, seed=2)}]),
        Case("gelu", gelu, [{"x": np.linspace(-8, 8, 10001, dtype=np.float32)}], lite=True),
    ]


FAMILIES: Sequence[Callable[[], list[Case]]] = (
    recurrent_cases, convolutions, pools, resizes, layouts, reductions, integers, orders, control, shapes,
)  # fmt: skip
