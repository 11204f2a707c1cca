"""Broken conversions: each takes a model, makes the mistake where it can be made, and says whether it could.

They are mistakes that converters made: layouts confused, a default taken for an attribute, one variant of an operator
for another, weights in another precision, shapes of one example baked in.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

Mistake = Callable[[onnx.ModelProto], bool]


def nodes_of(model: onnx.ModelProto, *types: str) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type in types]


def weights_of(model: onnx.ModelProto, input_number: int, *types: str) -> Iterator[onnx.TensorProto]:
    by_name = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in nodes_of(model, *types):
        if len(node.input) > input_number and node.input[input_number] in by_name:
            yield by_name[node.input[input_number]]


def change(tensor: onnx.TensorProto, function: Callable[[Any], Any]) -> bool:
    before = numpy_helper.to_array(tensor)
    after = np.asarray(function(before.copy()), before.dtype)
    tensor.CopyFrom(numpy_helper.from_array(after, tensor.name))
    return not np.array_equal(before, after)


def set_attribute(node: onnx.NodeProto, name: str, value: Any) -> None:
    kept = [each for each in node.attribute if each.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    return next((helper.get_attribute_value(each) for each in node.attribute if each.name == name), default)


def change_weights(function: Callable[[Any], Any]) -> Mistake:
    """Change every table of weights of the model."""

    def mistake(model: onnx.ModelProto) -> bool:
        tensors = [each for each in model.graph.initializer if each.data_type == onnx.TensorProto.FLOAT]
        return sum(change(each, function) for each in tensors if len(each.dims) > 1) > 0

    return mistake


def change_first(input_number: int, types: tuple[str, ...], function: Callable[[Any], Any]) -> Mistake:
    """Change one weight of the first node of a type."""

    def mistake(model: onnx.ModelProto) -> bool:
        tensor = next(weights_of(model, input_number, *types), None)
        return tensor is not None and change(tensor, function)

    return mistake


def change_attribute(types: tuple[str, ...], name: str, default: Any, function: Callable[[Any], Any]) -> Mistake:
    """Change an attribute of all nodes of a type."""

    def mistake(model: onnx.ModelProto) -> bool:
        changed = False
        for node in nodes_of(model, *types):
            before = attribute(node, name, default)
            after = function(before)
            set_attribute(node, name, after)
            changed |= list(np.ravel(before)) != list(np.ravel(after))
        return changed

    return mistake


def replace_operator(before: str, after: str, **attributes: Any) -> Mistake:
    """Take one operator for another."""

    def mistake(model: onnx.ModelProto) -> bool:
        nodes = nodes_of(model, before)
        for node in nodes:
            node.op_type = after
            del node.attribute[:]
            node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
        return bool(nodes)

    return mistake


def bypass(op: str) -> Mistake:
    """Leave the last operator of a type out."""

    def mistake(model: onnx.ModelProto) -> bool:
        nodes = nodes_of(model, op)
        if nodes:
            nodes[-1].op_type = "Identity"
            del nodes[-1].input[1:]
            del nodes[-1].attribute[:]
        return bool(nodes)

    return mistake


def quantised(bits: int) -> Callable[[Any], Any]:
    def function(values: Any) -> Any:
        step = np.abs(values).max() / (2 ** (bits - 1) - 1)
        return np.round(values / step) * step

    return function


def bfloat16(values: Any) -> Any:
    return (values.view(np.uint32) + 0x8000 & 0xFFFF0000).view(np.float32)


def zero_first(values: Any) -> Any:
    values[0] = 0
    return values


def nudge_one(values: Any) -> Any:
    values.flat[values.size // 2] *= 1.1
    return values


def tanh_gelu(model: onnx.ModelProto) -> bool:
    erfs = nodes_of(model, "Erf")
    for node in erfs:
        # erf(x / sqrt 2) is about tanh(sqrt(2 / pi) (x + 0.044715 x³)); the input here is x / sqrt 2
        names = {"outer": np.float32(2 / np.sqrt(np.pi)), "cubic": np.float32(0.08943), "three": np.float32(3)}
        model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in names.items())
        x, position = node.input[0], list(model.graph.node).index(node)
        steps = [
            helper.make_node("Pow", [x, "three"], ["gelu.power"]),
            helper.make_node("Mul", ["gelu.power", "cubic"], ["gelu.cubic"]),
            helper.make_node("Add", [x, "gelu.cubic"], ["gelu.sum"]),
            helper.make_node("Mul", ["gelu.sum", "outer"], ["gelu.argument"]),
        ]
        node.op_type, node.input[0] = "Tanh", "gelu.argument"
        for step in reversed(steps):
            model.graph.node.insert(position, step)
    return bool(erfs)


def reorder_outputs(model: onnx.ModelProto) -> bool:
    outputs = list(model.graph.output)
    del model.graph.output[:]
    model.graph.output.extend(reversed(outputs))
    return len(outputs) > 1


def rename_output(model: onnx.ModelProto) -> bool:
    name = model.graph.output[0].name
    model.graph.output[0].name = "renamed"
    model.graph.node.append(helper.make_node("Identity", [name], ["renamed"]))
    return True


def bake_batch(model: onnx.ModelProto) -> bool:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    for output in model.graph.output:
        output.type.tensor_type.shape.dim[0].dim_value = 2
    return True


def _before_everything(model: onnx.ModelProto, *steps: tuple[str, list[str], dict[str, Any]]) -> bool:
    name = last = model.graph.input[0].name
    for number, (op, inputs, attributes) in enumerate(steps):
        model.graph.node.insert(number, helper.make_node(op, [last, *inputs], [f"pre.{number}"], **attributes))
        last = f"pre.{number}"
    for node in list(model.graph.node)[len(steps) :]:
        for position, each in enumerate(node.input):
            if each == name:
                node.input[position] = last
    return True


def answer_first_row(model: onnx.ModelProto) -> bool:
    """Compute the first row of a batch alone, and repeat it."""
    model.graph.initializer.extend(
        [numpy_helper.from_array(np.array([0]), "pre.zero"), numpy_helper.from_array(np.array([1]), "pre.one")]
    )
    name = model.graph.input[0].name
    model.graph.node.insert(0, helper.make_node("Shape", [name], ["pre.shape"]))
    done = _before_everything(model, ("Slice", ["pre.zero", "pre.one", "pre.zero"], {}), ("Expand", ["pre.shape"], {}))
    shape = next(node for node in model.graph.node if node.output[0] == "pre.shape")
    model.graph.node.remove(shape)
    shape.input[0] = name
    model.graph.node.insert(0, shape)
    return done


def swap_last_axes(model: onnx.ModelProto) -> bool:
    """Take height for width in every filter."""
    tensors = [each for each in weights_of(model, 1, "Conv") if each.dims[-1] > 1]
    return sum(change(each, lambda values: values.swapaxes(-1, -2)) for each in tensors) > 0


def transpose_square(model: onnx.ModelProto) -> bool:
    tensors = [each for each in weights_of(model, 1, "MatMul", "Gemm") if each.dims[0] == each.dims[1]]
    return bool(tensors) and change(tensors[0], lambda values: values.T)


def pad_one_side(model: onnx.ModelProto) -> bool:
    def shift(pads: Any) -> Any:
        half = len(pads) // 2
        return [0] * half + [each + other for each, other in zip(pads[:half], pads[half:], strict=True)]

    return change_attribute(("Conv",), "pads", [0, 0, 0, 0], shift)(model)


def reverse_channels(model: onnx.ModelProto) -> bool:
    """Take BGR for RGB."""
    tensor = next((each for each in weights_of(model, 1, "Conv") if each.dims[1] == 3), None)
    return tensor is not None and change(tensor, lambda values: values[:, ::-1])


def swap_gates(model: onnx.ModelProto) -> bool:
    """Take the order of another framework for the gates of an LSTM."""

    def swapped(values: Any) -> Any:
        gates = np.split(values, 4, axis=1)
        return np.concatenate([gates[0], gates[2], gates[1], gates[3]], axis=1)

    tensors = [*weights_of(model, 1, "LSTM"), *weights_of(model, 2, "LSTM")]
    return sum(change(each, swapped) for each in tensors) > 0


def stale_state(model: onnx.ModelProto) -> bool:
    """Begin with what another example left in the state."""
    nodes = nodes_of(model, "LSTM")
    if nodes:
        shape = [numpy_helper.from_array(np.array([1, 1, 12], np.int64), "stale.shape")]
        value = helper.make_node(
            "ConstantOfShape", ["stale.dims"], ["stale.state"], value=helper.make_tensor("v", 1, [1], [0.01])
        )
        batch = [
            helper.make_node("Shape", [model.graph.input[0].name], ["stale.batch"], start=0, end=1),
            helper.make_node("Concat", ["stale.one", "stale.batch", "stale.size"], ["stale.dims"], axis=0),
            value,
        ]
        model.graph.initializer.extend(
            [
                numpy_helper.from_array(np.array([1]), "stale.one"),
                numpy_helper.from_array(np.array([12]), "stale.size"),
                *shape,
            ]
        )
        for node in reversed(batch):
            model.graph.node.insert(0, node)
        nodes[0].input.extend(["", "stale.state"])
    return bool(nodes)


def drop_shortcut(model: onnx.ModelProto) -> bool:
    """Leave out an addition of two computed tensors."""
    weights = {each.name for each in model.graph.initializer}
    adds = [node for node in nodes_of(model, "Add") if not weights & set(node.input)]
    if adds:
        adds[0].op_type = "Identity"
        del adds[0].input[1:]
    return bool(adds)


MISTAKES: dict[str, Mistake] = {
    "fp16 weights": change_weights(lambda values: values.astype(np.float16).astype(np.float32)),
    "bf16 weights": change_weights(bfloat16),
    "int8 weights": change_weights(quantised(8)),
    "weights scaled by 1.001": change_weights(lambda values: values * 1.001),
    "weights of one layer scaled": change_first(1, ("Conv", "Gemm", "MatMul", "LSTM"), lambda values: values * 1.001),
    "one weight changed": change_first(1, ("Conv", "Gemm", "MatMul", "LSTM"), nudge_one),
    "zeroed filter": change_first(1, ("Conv", "Gemm", "MatMul"), zero_first),
    "dropped bias": change_first(2, ("Conv", "Gemm", "LayerNormalization"), lambda values: values * 0),
    "dropped bias of an LSTM": change_first(3, ("LSTM",), lambda values: values * 0),
    "transposed weights": transpose_square,
    "swapped axes": swap_last_axes,
    "reversed channels": reverse_channels,
    "epsilon": change_attribute(("BatchNormalization", "LayerNormalization"), "epsilon", 1e-5, lambda _: 1e-3),
    "epsilon of another framework": change_attribute(("BatchNormalization",), "epsilon", 1e-5, lambda _: 2e-5),
    "mean and variance swapped": lambda model: (
        sum(_swap_inputs(node, 3, 4) for node in nodes_of(model, "BatchNormalization")) > 0
    ),
    "tanh-GELU": tanh_gelu,
    "leaky relu": replace_operator("Relu", "LeakyRelu", alpha=0.01),
    "elu for relu": replace_operator("Relu", "Elu"),
    "relu for prelu": lambda model: sum(_drop_slope(node) for node in nodes_of(model, "PRelu")) > 0,
    "softsign for tanh": replace_operator("Tanh", "Softsign"),
    "hard sigmoid": replace_operator("Sigmoid", "HardSigmoid", alpha=0.2),
    "softmax along another axis": change_attribute(("Softmax",), "axis", -1, lambda axis: 0 if axis == 1 else 1),
    "logarithms left out": replace_operator("LogSoftmax", "Softmax", axis=1),
    "softmax left out": bypass("Softmax"),
    "sigmoid left out": bypass("Sigmoid"),
    "off-by-one padding": pad_one_side,
    "pooling rounds down": change_attribute(("MaxPool",), "ceil_mode", 0, lambda _: 0),
    "average for maximum": replace_operator("MaxPool", "AveragePool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    "maximum for average": replace_operator("GlobalAveragePool", "GlobalMaxPool"),
    "shortcut left out": drop_shortcut,
    "reordered outputs": reorder_outputs,
    "renamed output": rename_output,
    "baked batch": bake_batch,
    "first row repeated": answer_first_row,
    "attention scale": change_first(1, ("Mul",), lambda value: value * 0.99),
    "gates in another order": swap_gates,
    "reversed time": change_attribute(("LSTM",), "direction", b"forward", lambda _: b"reverse"),
    "stale state": stale_state,
    "lowest for highest": replace_operator("ArgMax", "ArgMin", axis=1, keepdims=0),
}


def _swap_inputs(node: onnx.NodeProto, one: int, other: int) -> bool:
    node.input[one], node.input[other] = node.input[other], node.input[one]
    return True


def _drop_slope(node: onnx.NodeProto) -> bool:
    node.op_type = "Relu"
    del node.input[1:]
    return True
