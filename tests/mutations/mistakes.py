"""Broken conversions: each takes a model, makes the mistake where it can be made, and says whether it could.

They are mistakes that converters made: layouts confused, a default taken for an attribute, one variant of an operator
for another, weights or activations in another precision, shapes of one example baked in, a question read otherwise.
Where a mistake could be made in many places it is made in one, so that it is as small as that mistake gets.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mutations.graphs import (
    LINEAR,
    Graph,
    attribute,
    become,
    biases_of,
    change,
    graphs_of,
    layers_of,
    nodes_of,
    output_axis,
    rewire,
    set_attribute,
    tensors_of,
    weights_of,
)

Mistake = Callable[[onnx.ModelProto], bool]
Make = Callable[[Graph, str], str]
TABLES = ("nodes_values", "class_weights", "target_weights")
"""Attributes of tree ensembles that are weights."""
FLOAT16, INT8, DOUBLE = TensorProto.FLOAT16, TensorProto.INT8, TensorProto.DOUBLE


# --- weights ----------------------------------------------------------------------------------------------------------


def all_weights(function: Callable[[Any], Any]) -> Mistake:
    def mistake(model: onnx.ModelProto) -> bool:
        changed = sum(change(each, function) for each in weights_of(model))
        return changed + _change_trees(model, function) > 0

    return mistake


def _change_trees(model: onnx.ModelProto, function: Callable[[Any], Any]) -> int:
    tables = [(n, name) for n in nodes_of(model) for name in TABLES if attribute(n, name, None) is not None]
    return sum(
        set_attribute(node, name, [float(x) for x in function(np.array(attribute(node, name, []), np.float32))])
        for node, name in tables
    )


def one_layer(function: Callable[[Any], Any], place: int) -> Mistake:
    """Change the weights of the first layer (0) or the last (-1); the function sees outputs along the first axis."""

    def mistake(model: onnx.ModelProto) -> bool:
        layers = layers_of(model)
        if not layers:
            return False
        node, tensor = layers[place]
        axis = output_axis(node)
        return change(tensor, lambda values: np.moveaxis(function(np.moveaxis(values, axis, 0).copy()), 0, axis))

    return mistake


def one_bias(function: Callable[[Any], Any], place: int) -> Mistake:
    def mistake(model: onnx.ModelProto) -> bool:
        biases = biases_of(model)
        return bool(biases) and change(biases[place], function)

    return mistake


def to_float16(values: Any) -> Any:
    return values.astype(np.float16).astype(np.float32)


def to_bfloat16(values: Any) -> Any:
    return (values.view(np.uint32) + 0x8000 & 0xFFFF0000).view(np.float32)


def to_int8(values: Any) -> Any:
    step = np.abs(values).max() / 127
    return np.round(values / step) * step


def to_int8_by_channel(values: Any) -> Any:
    steps = (
        np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True) / 127 if values.ndim > 1 else values[:1]
    )
    return np.round(values / np.where(steps == 0, 1, steps)) * steps


def largest_by_one_percent(values: Any) -> Any:
    values.flat[np.abs(values).argmax()] *= 1.01
    return values


def zero_the_largest_filter(values: Any) -> Any:
    values[np.abs(values).reshape(len(values), -1).sum(axis=1).argmax()] = 0
    return values


def swapped_layers(model: onnx.ModelProto) -> bool:
    """Load the weights of one layer into another of the same shape, and the reverse."""
    tensors = list({tensor.name: tensor for _, tensor in layers_of(model)}.values())
    pairs = [(one, other) for i, one in enumerate(tensors) for other in tensors[i + 1 :] if one.dims == other.dims]
    if not pairs:
        return False
    one, other = pairs[0]
    values = numpy_helper.to_array(one).copy()
    change(one, lambda _: numpy_helper.to_array(other))
    return change(other, lambda _: values)


def transposed(model: onnx.ModelProto) -> bool:
    squares = [tensor for node, tensor in layers_of(model) if tensor.dims[0] == tensor.dims[1]]
    return bool(squares) and change(squares[-1], lambda values: values.swapaxes(0, 1))


def convolution(function: Callable[[Any], Any], *, axes: int = 1) -> Mistake:
    """Change the first kernel that is longer than one along its last axes."""

    def mistake(model: onnx.ModelProto) -> bool:
        layers = layers_of(model)
        kernels = [t for n, t in layers if "Conv" in n.op_type and len(t.dims) > 2 and min(t.dims[-axes:]) > 1]
        return any(change(each, function) for each in kernels)

    return mistake


def forget_rows_of_tables(model: onnx.ModelProto) -> bool:
    """Keep the first two rows of each embedding."""

    def forget(values: Any) -> Any:
        values[2:] = 0
        return values

    return sum(change(each, forget) for each in tables_of(model)) > 0


def tables_of(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    names = {node.input[0] for node in nodes_of(model, "Gather")}
    return [each for each in weights_of(model) if each.name in names]


def move_thresholds(model: onnx.ModelProto) -> bool:
    """Take < for <= in trees, as a threshold in float64 that became float32 does: by one unit in the last place."""

    def move(values: Any) -> Any:
        return np.nextafter(values, np.float32(-np.inf))

    nodes = nodes_of(model, "TreeEnsembleClassifier", "TreeEnsembleRegressor")
    values = [[float(x) for x in move(np.array(attribute(each, "nodes_values", []), np.float32))] for each in nodes]
    return sum(set_attribute(node, "nodes_values", each) for node, each in zip(nodes, values, strict=True)) > 0


# --- operators --------------------------------------------------------------------------------------------------------


def attributes(types: Sequence[str], name: str, default: Any, function: Callable[[Any], Any]) -> Mistake:
    """Change an attribute of all operators of some types."""

    def mistake(model: onnx.ModelProto) -> bool:
        changed = 0
        for node in nodes_of(model, *types):
            before = attribute(node, name, default)
            after = function(before)
            changed += (
                after is not None
                and set_attribute(node, name, after)
                and list(np.ravel(before)) != list(np.ravel(after))
            )
        return changed > 0

    return mistake


def instead(before: str, after: str, *, place: slice = slice(None), **changed: Any) -> Mistake:
    """Take one operator for another."""

    def mistake(model: onnx.ModelProto) -> bool:
        return sum(become(node, after, **changed) for node in nodes_of(model, before)[place]) > 0

    return mistake


def leave_out_the_last(*types: str) -> Mistake:
    def mistake(model: onnx.ModelProto) -> bool:
        return sum(become(node, "Identity") for node in nodes_of(model, *types)[-1:]) > 0

    return mistake


def constant_of(types: Sequence[str], number: int, function: Callable[[Any], Any]) -> Mistake:
    """Change a constant that is the input of that number of an operator."""

    def mistake(model: onnx.ModelProto) -> bool:
        tensors = tensors_of(model)
        names = {node.input[number] for node in nodes_of(model, *types) if len(node.input) > number}
        return sum(change(tensors[name], function) for name in sorted(names) if name in tensors) > 0

    return mistake


def tanh_gelu(model: onnx.ModelProto) -> bool:
    """Compute erf(x / sqrt 2) as tanh(sqrt(2 / pi) (x + 0.044715 x³)); the input here is x / sqrt 2."""

    def make(graph: Graph, x: str) -> str:
        cubic = graph.add("Mul", graph.add("Pow", x, np.float32(3)), np.float32(0.08943))
        return graph.add("Tanh", graph.add("Mul", graph.add("Add", x, cubic), np.float32(2 / np.sqrt(np.pi))))

    erfs = nodes_of(model, "Erf")
    for node in erfs:
        become(node, "Identity")
    return sum(rewire(model, node.output[0], make) for node in erfs) > 0


def pad_one_side(pads: Any) -> Any:
    half = len(pads) // 2
    return [0] * half + [each + other for each, other in zip(pads[:half], pads[half:], strict=True)]


def average_for_maximum(model: onnx.ModelProto) -> bool:
    nodes = nodes_of(model, "MaxPool")
    for node in nodes:
        node.op_type = "AveragePool"
    return bool(nodes)


def drop_shortcut(model: onnx.ModelProto) -> bool:
    """Leave out an addition of two computed tensors."""
    known = set(tensors_of(model))
    adds = [node for node in nodes_of(model, "Add") if not known & set(node.input)]
    return bool(adds) and become(adds[0], "Identity")


def relu_for_prelu(model: onnx.ModelProto) -> bool:
    return sum(become(node, "Relu") for node in nodes_of(model, "PRelu")[-1:]) > 0


def one_slope_for_all(model: onnx.ModelProto) -> bool:
    tensors = tensors_of(model)
    slopes = [tensors[node.input[1]] for node in nodes_of(model, "PRelu")[:1]]
    return sum(change(each, lambda values: np.full_like(values, values.mean())) for each in slopes) > 0


def other_gates(model: onnx.ModelProto) -> bool:
    """Take the order of another framework for the gates of an LSTM: forget and output swapped."""
    for node in nodes_of(model, "LSTM"):
        size = attribute(node, "hidden_size", 0)
        order = np.concatenate([np.arange(size) + size * gate for gate in (0, 2, 1, 3)])
        _before_input(model, node, 1, lambda graph, x, order=order: graph.add("Gather", x, order, axis=1))
        _before_input(model, node, 2, lambda graph, x, order=order: graph.add("Gather", x, order, axis=1))
    return bool(nodes_of(model, "LSTM"))


def forget_state(model: onnx.ModelProto) -> bool:
    """Begin each call of an LSTM with a hidden state of zeros."""
    nodes = [node for node in nodes_of(model, "LSTM") if len(node.input) > 5]
    for node in nodes:
        _before_input(model, node, 5, lambda graph, x: graph.add("Mul", x, np.float32(0)))
    return bool(nodes)


def _before_input(model: onnx.ModelProto, node: onnx.NodeProto, number: int, make: Make) -> None:
    """Put what `make` builds before one input of a node, in the graph where that node is."""
    graph = next(each for each in graphs_of(model.graph) if node in list(each.node))
    built = Graph(f"{node.output[0]}.{number}~")
    node.input[number] = make(built, node.input[number])
    graph.initializer.extend(built.weights)
    place = list(graph.node).index(node)
    for each in reversed(built.nodes):
        graph.node.insert(place, each)


def wrong_resize(model: onnx.ModelProto) -> bool:
    """Place the pixels of a resized image by their corners."""
    return (
        sum(
            set_attribute(node, "coordinate_transformation_mode", "align_corners") for node in nodes_of(model, "Resize")
        )
        > 0
    )


def bilinear(model: onnx.ModelProto) -> bool:
    nodes = [node for node in nodes_of(model, "Resize") if attribute(node, "mode", b"nearest") == b"nearest"]
    return sum(set_attribute(node, "mode", "linear") for node in nodes) > 0


# --- activations ------------------------------------------------------------------------------------------------------


def last_activation(make: Make) -> Mistake:
    """Change what the last linear operator gives."""

    def mistake(model: onnx.ModelProto) -> bool:
        nodes = [node for node in model.graph.node if node.op_type in LINEAR]
        return bool(nodes) and rewire(model, nodes[-1].output[0], make)

    return mistake


def through(dtype: int) -> Make:
    return lambda graph, x: graph.add("Cast", graph.add("Cast", x, to=dtype), to=TensorProto.FLOAT)


def with_eight_bits(graph: Graph, x: str) -> str:
    """Round to the eight bits of bfloat16, by Veltkamp's splitting: operator sets before 13 have no such type."""
    large = graph.add("Mul", x, np.float32((1 << 16) + 1))
    return graph.add("Sub", large, graph.add("Sub", large, x))


def quantised(graph: Graph, x: str) -> str:
    largest = graph.add("ReduceMax", graph.add("Abs", x), keepdims=0)
    step = graph.add("Div", largest, np.float32(127))
    return graph.add("Mul", graph.add("Round", graph.add("Div", x, step)), step)


# --- outputs ----------------------------------------------------------------------------------------------------------


def output(make: Callable[[Graph, str, int], str], *, rank: int = 1) -> Mistake:
    """Change the first output that holds floats; `make` gets its axis of channels, too."""

    def mistake(model: onnx.ModelProto) -> bool:
        floats = [each for each in model.graph.output if each.type.tensor_type.elem_type == TensorProto.FLOAT]
        shape = floats[0].type.tensor_type.shape.dim
        axis = 1 if len(shape) == 4 else len(shape) - 1
        return len(shape) >= rank and rewire(model, floats[0].name, lambda graph, x: make(graph, x, axis))

    return mistake


def cut(graph: Graph, x: str, start: int, end: int, axis: int, *, step: int = 1) -> str:
    return graph.add("Slice", x, *(np.array([number]) for number in (start, end, axis, step)))


END = (1 << 31) - 1


def last_channel(make: Make) -> Callable[[Graph, str, int], str]:
    def built(graph: Graph, x: str, axis: int) -> str:
        return graph.add("Concat", cut(graph, x, 0, -1, axis), make(graph, cut(graph, x, -1, END, axis)), axis=axis)

    return built


def of_several_channels(mistake: Mistake) -> Mistake:
    def checked(model: onnx.ModelProto) -> bool:
        shape = model.graph.output[0].type.tensor_type.shape.dim
        return (shape[1] if len(shape) == 4 else shape[-1]).dim_value != 1 and mistake(model)

    return checked


def rolled(graph: Graph, x: str, axis: int) -> str:
    return graph.add("Concat", cut(graph, x, 1, END, axis), cut(graph, x, 0, 1, axis), axis=axis)


def laid_out_otherwise(model: onnx.ModelProto) -> bool:
    """Give the elements of a row in the order of the other layout, channels last."""

    def make(graph: Graph, x: str, axis: int) -> str:
        moved = graph.add("Transpose", x, perm=[0, 2, 3, 1] if axis == 1 else [0, 2, 1])
        return graph.add("Reshape", moved, graph.add("Shape", x))

    return output(make, rank=3)(model)


def first_row_for_all(graph: Graph, x: str, _: int) -> str:
    return graph.add("Add", graph.add("Mul", x, np.float32(0)), cut(graph, x, 0, 1, 0))


def nothing_beyond_the_eighth(graph: Graph, x: str, _: int) -> str:
    rest = graph.add("Mul", cut(graph, x, 8, END, 0), np.float32(0))
    return graph.add("Concat", cut(graph, x, 0, 8, 0), rest, axis=0)


def reorder_outputs(model: onnx.ModelProto) -> bool:
    outputs = list(model.graph.output)
    del model.graph.output[:]
    model.graph.output.extend(reversed(outputs))
    return len(outputs) > 1


def swap_outputs(model: onnx.ModelProto) -> bool:
    """Give two outputs of one shape each other's name."""
    shapes = [(str(each.type), each.name) for each in model.graph.output]
    pairs = [(one, two) for i, (a, one) in enumerate(shapes) for b, two in shapes[i + 1 :] if _same_lengths(a, b)]
    for one, two in pairs[:1]:
        other = {one: two, two: one}
        for node in nodes_of(model):
            node.output[:] = [other.get(each, each) for each in node.output]
            node.input[:] = [other.get(each, each) for each in node.input]
    return bool(pairs)


def _same_lengths(one: str, other: str) -> bool:
    return [line for line in one.split("\n") if "dim_value" in line or "elem_type" in line] == [
        line for line in other.split("\n") if "dim_value" in line or "elem_type" in line
    ]


def rename_output(model: onnx.ModelProto) -> bool:
    name = model.graph.output[0].name
    model.graph.output[0].name = "renamed"
    model.graph.node.append(helper.make_node("Identity", [name], ["renamed"]))
    return True


def give_doubles(model: onnx.ModelProto) -> bool:
    done = output(lambda graph, x, _: graph.add("Cast", x, to=DOUBLE))(model)
    floats = [each for each in model.graph.output if each.type.tensor_type.elem_type == TensorProto.FLOAT]
    floats[0].type.tensor_type.elem_type = DOUBLE
    return done


def bake_batch(model: onnx.ModelProto) -> bool:
    """Take the batch of the example for the only one."""
    name = model.graph.input[0].name
    return rewire(model, name, lambda graph, x: cut(graph, x, 0, 2, 0))


def next_label(model: onnx.ModelProto) -> bool:
    """Give labels that begin with another number."""
    labels = [each for each in model.graph.output if each.type.tensor_type.elem_type == TensorProto.INT64]
    return bool(labels) and rewire(model, labels[0].name, lambda graph, x: graph.add("Add", x, np.array(1)))


# --- inputs -----------------------------------------------------------------------------------------------------------


def question(make: Make, *types: int, rank: int = 1, number: int = 0) -> Mistake:
    """Read an input otherwise than it is meant: the first one of some types."""

    def mistake(model: onnx.ModelProto) -> bool:
        known = set(tensors_of(model))
        inputs = [each for each in model.graph.input if each.name not in known]
        fit = [
            each.name
            for each in inputs
            if each.type.tensor_type.elem_type in types and len(each.type.tensor_type.shape.dim) >= rank
        ]
        return len(fit) > number and rewire(model, fit[number], make)

    return mistake


FLOAT, INT32, INT64, UINT8 = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64, TensorProto.UINT8
WHOLE = (INT32, INT64, UINT8)


def as_int8(model: onnx.ModelProto) -> bool:
    """Read bytes, or indices, as signed bytes."""

    def index(dtype: int) -> Make:
        return lambda graph, x: graph.add("Cast", graph.add("Cast", x, to=INT8), to=dtype)

    if any("mask" in each.name for each in model.graph.input) and not tables_of(model):
        return False  # zeros and ones
    return (
        question(lambda graph, x: graph.add("Cast", x, to=INT8), UINT8)(model)
        or question(index(INT32), INT32)(model)
        or question(index(INT64), INT64)(model)
    )


def ignore_mask(model: onnx.ModelProto) -> bool:
    def make(graph: Graph, x: str) -> str:
        return graph.add("Add", graph.add("Mul", x, np.array(0)), np.array(1))

    masks = [each.name for each in model.graph.input if "mask" in each.name]
    return bool(masks) and rewire(model, masks[0], make)


def one_further(model: onnx.ModelProto) -> bool:
    """Read what lies one further along the last axis that is longer than one."""
    shape = model.graph.input[0].type.tensor_type.shape.dim
    axis = max(axis for axis, length in enumerate(shape) if length.dim_value != 1)
    return question(lambda graph, x: rolled(graph, x, axis), FLOAT, *WHOLE, rank=2)(model)


def reversed_along(axis: int) -> Make:
    return lambda graph, x: cut(graph, x, -1, -END - 1, axis, step=-1)


def scaled(factor: float) -> Make:
    return lambda graph, x: graph.add("Mul", x, np.float32(factor))


MISTAKES: dict[str, Mistake] = {
    # weights
    "float16 weights": all_weights(to_float16),
    "bfloat16 weights": all_weights(to_bfloat16),
    "int8 weights": all_weights(to_int8),
    "int8 weights by channel": all_weights(to_int8_by_channel),
    "all weights 0.1 % larger": all_weights(lambda values: values * 1.001),
    "a layer's weights 1 % larger": one_layer(lambda values: values * 1.01, 0),
    "one weight 1 % larger": one_layer(largest_by_one_percent, -1),
    "a filter zeroed": one_layer(zero_the_largest_filter, 0),
    "filters in another order": one_layer(lambda values: np.roll(values, 1, axis=0), -1),
    "last layer negated": one_layer(lambda values: -values, -1),
    "channels reversed": one_layer(lambda values: values[:, ::-1], 0),
    "a bias dropped": one_bias(lambda values: values * 0, -1),
    "a bias doubled": one_bias(lambda values: values * 2, 0),
    "a bias in another order": one_bias(lambda values: np.roll(values, 1), 0),
    "weights of two layers swapped": swapped_layers,
    "weights transposed": transposed,
    "kernels flipped": convolution(lambda values: values[..., ::-1]),
    "height for width": convolution(lambda values: values.swapaxes(-1, -2), axes=2),
    "rows of a table forgotten": forget_rows_of_tables,
    "thresholds moved": move_thresholds,
    # operators
    "epsilon": attributes(("BatchNormalization", "LayerNormalization"), "epsilon", 1e-5, lambda _: 1e-3),
    "mean for variance": lambda model: sum(_swap(n, 3, 4) for n in nodes_of(model, "BatchNormalization")[:1]) > 0,
    "padding on one side": attributes(("Conv",), "pads", [0, 0, 0, 0], pad_one_side),
    "pooling rounds down": attributes(("MaxPool", "AveragePool"), "ceil_mode", 0, lambda _: 0),
    "average for maximum": average_for_maximum,
    "maximum for average": instead("GlobalAveragePool", "GlobalMaxPool", place=slice(1)),
    "leaky relu": instead("Relu", "LeakyRelu", alpha=0.01, place=slice(1)),
    "elu for relu": instead("Relu", "Elu", place=slice(-1, None)),
    "relu for prelu": relu_for_prelu,
    "one slope for all channels": one_slope_for_all,
    "clip left out": leave_out_the_last("Clip"),
    "slope of a hard sigmoid": attributes(("HardSigmoid",), "alpha", 0.2, lambda alpha: 1 / 6 if alpha > 0.18 else 0.2),
    "tanh for erf": tanh_gelu,
    "softsign for tanh": instead("Tanh", "Softsign"),
    "softmax along another axis": attributes(("Softmax",), "axis", -1, lambda axis: 0 if axis in (1, -1) else 1),
    "softmax left out": leave_out_the_last("Softmax"),
    "sigmoid left out": leave_out_the_last("Sigmoid"),
    "shortcut left out": drop_shortcut,
    "scale of attention": constant_of(("Div",), 1, lambda value: value * 1.01 if value.ndim == 0 else value),
    "gates in another order": other_gates,
    "state forgotten": forget_state,
    "corners aligned": wrong_resize,
    "linear for nearest": bilinear,
    # activations
    "float16 activation": last_activation(through(FLOAT16)),
    "bfloat16 activation": last_activation(with_eight_bits),
    "int8 activation": last_activation(quantised),
    # outputs
    "output 5 % larger": output(lambda graph, x, _: scaled(1.05)(graph, x)),
    "output shifted": output(lambda graph, x, _: graph.add("Add", x, np.float32(0.01))),
    "output negated": output(lambda graph, x, _: graph.add("Neg", x)),
    "float16 output": output(lambda graph, x, _: through(FLOAT16)(graph, x)),
    "one channel 5 % larger": output(last_channel(scaled(1.05)), rank=2),
    "one channel NaN": output(last_channel(scaled(np.nan)), rank=2),
    "channels one further": of_several_channels(output(rolled, rank=2)),
    "another layout": of_several_channels(laid_out_otherwise),
    "rows in another order": output(lambda graph, x, _: reversed_along(0)(graph, x)),
    "first row for all": output(first_row_for_all),
    "nothing beyond the eighth row": output(nothing_beyond_the_eighth),
    "outputs in another order": reorder_outputs,
    "outputs swapped": swap_outputs,
    "output renamed": rename_output,
    "float64 output": give_doubles,
    "labels one further": next_label,
    "batch baked": bake_batch,
    # inputs
    "float16 input": question(through(FLOAT16), FLOAT),
    "input scaled by 255/256": question(scaled(255 / 256), FLOAT),
    "input shifted": question(lambda graph, x: graph.add("Add", x, np.float32(0.01)), FLOAT),
    "8 bits of an input": question(quantised, FLOAT),
    "negative inputs cut off": question(lambda graph, x: graph.add("Relu", x), FLOAT),
    "input reversed": question(reversed_along(1), FLOAT, *WHOLE, rank=2),
    "input one further": one_further,
    "signed bytes": as_int8,
    "mask ignored": ignore_mask,
    "state ignored": question(lambda graph, x: graph.add("Mul", x, np.float32(0)), FLOAT, number=1),
}
OF_ROWS = ("rows in another order", "first row for all", "nothing beyond the eighth row", "batch baked")
"""Mistakes that need a batch."""


def _swap(node: onnx.NodeProto, one: int, other: int) -> bool:
    node.input[one], node.input[other] = node.input[other], node.input[one]
    return True
