"""What ONNX Runtime's tools must not see of a model that they round, and what they cannot round."""

from typing import NamedTuple

import onnx
import onnx.inliner

from modelport_converter.onnx_graphs.files import opset_of
from modelport_converter.onnx_graphs.graphs import Constants, fresh_name, names_of, nodes_of
from modelport_converter.onnx_graphs.naming import rename, with_own_names

MATRIX = 2
FLOAT, HALF = "tensor(float)", "tensor(float16)"


def prepared(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy without functions, with names in one graph each, and weights that one kind of operator has alone.

    Kinds of operators take weights apart along different axes.
    """
    copy = with_own_names(onnx.inliner.inline_local_functions(model) if model.functions else model)
    _store_constants(copy)
    taken, held = names_of(copy), {tensor.name: tensor for tensor in copy.graph.initializer}
    owners: dict[str, str] = {}
    copies: dict[tuple[str, str], str] = {}
    for node in copy.graph.node:
        for index, name in enumerate(node.input):
            if name not in held or owners.setdefault(name, node.op_type) == node.op_type:
                continue
            if (name, node.op_type) not in copies:
                copies[name, node.op_type] = fresh_name(name, taken)
                copy.graph.initializer.add().CopyFrom(held[name])
                copy.graph.initializer[-1].name = copies[name, node.op_type]
            node.input[index] = copies[name, node.op_type]
    return copy


def _store_constants(model: onnx.ModelProto) -> None:
    """Make weights that nodes give, as Paddle's exporter writes them, stored ones, in place: the tools round no others."""
    constants = Constants(model)
    for node in [node for node in model.graph.node if node.op_type == "Constant"]:
        value = constants.read(node.output[0])
        if value is not None:
            model.graph.initializer.append(onnx.numpy_helper.from_array(value, node.output[0]))
            model.graph.node.remove(node)
    # before version 4 of the format, what is stored is an input, too
    model.ir_version = max(model.ir_version, onnx.IR_VERSION_2019_1_22)


class Passed(NamedTuple):
    """Outputs of a graph that are inputs, or weights, as they are."""

    outputs: dict[int, onnx.ValueInfoProto]
    """By their places."""
    weights: list[onnx.TensorProto]


def take_passed(model: onnx.ModelProto) -> Passed:
    """Take what is passed on out of the graph, in place; its nodes have such weights by other names from here on."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    known = {value.name for value in model.graph.input} | weights.keys()
    outputs, taken = list(model.graph.output), names_of(model)
    passed = {place: each for place, each in enumerate(outputs) if each.name in known}
    kept = [_copied(weights[name]) for name in {each.name for each in passed.values()} & weights.keys()]
    del model.graph.output[:]
    model.graph.output.extend(each for place, each in enumerate(outputs) if place not in passed)
    names = {tensor.name: fresh_name(tensor.name, taken) for tensor in kept}
    for name, other in names.items():
        weights[name].name = other
    rename([model.graph], names)
    return Passed(passed, kept)


def put_back(model: onnx.ModelProto, passed: Passed) -> None:
    """Put into the graph what was taken out of it, in place."""
    outputs = list(model.graph.output)
    for place, each in sorted(passed.outputs.items()):
        outputs.insert(place, each)
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    model.graph.initializer.extend(passed.weights)


def _copied(tensor: onnx.TensorProto) -> onnx.TensorProto:
    copy = onnx.TensorProto()
    copy.CopyFrom(tensor)
    return copy


def name_stacks(model: onnx.ModelProto) -> list[str]:
    """Return the names of products with stacks of matrices, which ONNX Runtime does not compute of bytes by channel; in place."""
    ranks = {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    found = [node for node in model.graph.node if node.op_type == "MatMul" and ranks.get(node.input[1], 0) > MATRIX]
    for node in found:
        node.name = node.name or f"stack {node.output[0]}"
    return [node.name for node in found]


def float_operators(model: onnx.ModelProto) -> list[str]:
    """Return the operators of a model that take or give float32 where they have no half precision."""
    found = {node.op_type for node in nodes_of(model) if _is_float(node, opset_of(model))}
    return sorted(found)


def _is_float(node: onnx.NodeProto, version: int) -> bool:
    if node.domain not in ("", "ai.onnx"):
        return False
    try:
        schema = onnx.defs.get_schema(node.op_type, version, "")
    except onnx.defs.SchemaError:
        return False
    return any(FLOAT in each.types and HALF not in each.types for each in (*schema.inputs, *schema.outputs))
