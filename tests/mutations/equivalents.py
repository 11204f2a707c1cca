"""Right conversions: each takes a model, writes it in another way, and says whether it could.

They are what converters and runtimes do to a right model: other operator sets, folded constants, operators taken apart
or put together. All are equal but for rounding.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import onnx
import onnx.version_converter
from onnx import helper, numpy_helper

from modelport_converter.onnx_graphs.files import simplified
from mutations.graphs import (
    Graph,
    attribute,
    become,
    change,
    graphs_of,
    nodes_of,
    rewire,
    set_attribute,
    tensors_of,
)

Form = Callable[[onnx.ModelProto], bool]
Reduced = Callable[[Graph, str, str], str]


def in_place(function: Callable[[onnx.ModelProto], onnx.ModelProto]) -> Form:
    def form(model: onnx.ModelProto) -> bool:
        model.CopyFrom(function(model))
        return True

    return form


def with_opset(opset: int) -> Form:
    def form(model: onnx.ModelProto) -> bool:
        if next(each.version for each in model.opset_import if each.domain == "") >= opset:
            return False
        try:
            model.CopyFrom(onnx.version_converter.convert_version(model, opset))
        except (RuntimeError, ValueError):  # the converter of onnx has no rule for some operators
            return False
        return True

    return form


def weights_as_nodes(model: onnx.ModelProto) -> bool:
    for graph in graphs_of(model.graph):
        for tensor in reversed(graph.initializer):
            graph.node.insert(0, helper.make_node("Constant", [], [tensor.name], value=tensor))
        del graph.initializer[:]
    return True


def folded_normalisation(model: onnx.ModelProto) -> bool:
    """Multiply batch normalisation into the convolution before it."""
    tensors, makers = tensors_of(model), {name: node for node in nodes_of(model) for name in node.output}
    uses = [name for node in nodes_of(model) for name in node.input]
    folded = 0
    for node in nodes_of(model, "BatchNormalization"):
        before = makers.get(node.input[0])
        if (
            before is None
            or before.op_type != "Conv"
            or uses.count(node.input[0]) > 1
            or before.input[1] not in tensors
        ):
            continue
        kernel = numpy_helper.to_array(tensors[before.input[1]])
        bias = numpy_helper.to_array(tensors[before.input[2]]) if len(before.input) > 2 else np.float32(0)
        scale, shift, mean, variance = (numpy_helper.to_array(tensors[name]) for name in node.input[1:])
        factor = scale / np.sqrt(variance + np.float32(attribute(node, "epsilon", 1e-5)))
        change(tensors[before.input[1]], lambda _, kernel=kernel, factor=factor: kernel * factor[:, None, None, None])
        name = f"{node.output[0]}.bias"
        model.graph.initializer.append(numpy_helper.from_array(((bias - mean) * factor + shift).astype("f"), name))
        before.input[2:] = [name]
        folded += become(node, "Identity")
    return folded > 0


def normalisation_written_out(model: onnx.ModelProto) -> bool:
    """Multiply and add instead of batch normalisation."""
    tensors = tensors_of(model)
    nodes = nodes_of(model, "BatchNormalization")
    for node in nodes:
        values = (numpy_helper.to_array(tensors[name]).reshape(-1, 1, 1) for name in node.input[1:])
        scale, shift, mean, variance = values
        factor = (scale / np.sqrt(variance + np.float32(attribute(node, "epsilon", 1e-5)))).astype(np.float32)
        become(node, "Identity")
        rewire(
            model,
            node.output[0],
            lambda graph, x, f=factor, s=(shift - mean * factor): graph.add("Add", graph.add("Mul", x, f), s),
        )
    return bool(nodes)


def layer_normalisation_written_out(model: onnx.ModelProto) -> bool:
    nodes = nodes_of(model, "LayerNormalization")
    for node in nodes:
        scale, shift, epsilon = node.input[1], node.input[2], np.float32(attribute(node, "epsilon", 1e-5))

        def make(graph: Graph, x: str, scale: str = scale, shift: str = shift, epsilon: np.float32 = epsilon) -> str:
            centred = graph.add("Sub", x, graph.add("ReduceMean", x, axes=[-1]))
            variance = graph.add("ReduceMean", graph.add("Mul", centred, centred), axes=[-1])
            normal = graph.add("Div", centred, graph.add("Sqrt", graph.add("Add", variance, epsilon)))
            return graph.add("Add", graph.add("Mul", normal, scale), shift)

        become(node, "Identity")
        rewire(model, node.output[0], make)
    return bool(nodes)


def softmax_written_out(model: onnx.ModelProto) -> bool:
    """Subtract the maximum, and divide exponentials by their sum."""
    found = _softmaxes(model)
    for node, reduced in found:

        def make(graph: Graph, x: str, reduced: Reduced = reduced) -> str:
            powers = graph.add("Exp", graph.add("Sub", x, reduced(graph, "ReduceMax", x)))
            return graph.add("Div", powers, reduced(graph, "ReduceSum", powers))

        become(node, "Identity")
        rewire(model, node.output[0], make)
    return bool(found)


def softmax_of_less_the_maximum(model: onnx.ModelProto) -> bool:
    found = _softmaxes(model)
    for node, reduced in found:
        _before(model, node, lambda graph, x, reduced=reduced: graph.add("Sub", x, reduced(graph, "ReduceMax", x)))
    return bool(found)


def _softmaxes(model: onnx.ModelProto) -> list[tuple[onnx.NodeProto, Reduced]]:
    """Return each softmax, and what reduces a tensor along its axis as the operator set writes it."""
    version = next(each.version for each in model.opset_import if each.domain == "")

    def reduced(axis: int, graph: Graph, op: str, x: str) -> str:
        if version >= (13 if op == "ReduceSum" else 18):
            return graph.add(op, x, np.array([axis]), keepdims=1)
        return graph.add(op, x, axes=[axis], keepdims=1)

    first = -1 if version >= 13 else 1
    return [(node, partial(reduced, attribute(node, "axis", first))) for node in nodes_of(model, "Softmax")]


def _before(model: onnx.ModelProto, node: onnx.NodeProto, make: Callable[[Graph, str], str]) -> None:
    place, built = list(model.graph.node).index(node), Graph(f"{node.output[0]}^")
    node.input[0] = make(built, node.input[0])
    model.graph.initializer.extend(built.weights)
    for each in reversed(built.nodes):
        model.graph.node.insert(place, each)


def sigmoid_written_out(model: onnx.ModelProto) -> bool:
    nodes = nodes_of(model, "Sigmoid")

    def make(graph: Graph, x: str) -> str:
        return graph.add("Div", np.float32(1), graph.add("Add", graph.add("Exp", graph.add("Neg", x)), np.float32(1)))

    for node in nodes:
        become(node, "Identity")
        rewire(model, node.output[0], make)
    return bool(nodes)


def bias_apart(model: onnx.ModelProto) -> bool:
    """Add the bias of convolutions in an operator of its own."""
    tensors = tensors_of(model)
    nodes = [
        each for each in nodes_of(model, "Conv", "ConvTranspose") if len(each.input) > 2 and each.input[2] in tensors
    ]
    for node in nodes:
        bias = numpy_helper.to_array(tensors[node.input[2]])
        rank = len(tensors[node.input[1]].dims) - 2 if node.input[1] in tensors else 2
        del node.input[2:]
        rewire(model, node.output[0], lambda graph, x, b=bias, r=rank: graph.add("Add", x, b.reshape(-1, *[1] * r)))
    return bool(nodes)


def product_and_sum(model: onnx.ModelProto) -> bool:
    """Write Gemm as MatMul and Add."""
    tensors = tensors_of(model)
    nodes = nodes_of(model, "Gemm")
    for node in nodes:
        name, bias = f"{node.output[0]}.weight", node.input[2]
        kernel = numpy_helper.to_array(tensors[node.input[1]])
        model.graph.initializer.append(
            numpy_helper.from_array(kernel.T if attribute(node, "transB", 0) else kernel, name)
        )
        become(node, "MatMul", name)
        rewire(model, node.output[0], lambda graph, x, bias=bias: graph.add("Add", x, bias))
    return bool(nodes)


def kernels_by_convolution(model: onnx.ModelProto) -> bool:
    """Write products with weights, of tables, as convolutions of length one."""
    tensors = tensors_of(model)
    nodes = [each for each in nodes_of(model, "Gemm") if attribute(each, "transB", 0)]
    for node in nodes:
        kernel = numpy_helper.to_array(tensors[node.input[1]])[:, :, None]
        bias = node.input[2]
        become(node, "Unsqueeze", "axis.two")
        rewire(
            model,
            node.output[0],
            lambda graph, x, k=kernel, b=bias: graph.add("Squeeze", graph.add("Conv", x, k, b), "axis.two"),
        )
    if nodes:
        model.graph.initializer.append(numpy_helper.from_array(np.array([2]), "axis.two"))
    return bool(nodes)


def channels_permuted(model: onnx.ModelProto) -> bool:
    """Take the channels of the first convolution's input in another order, and its weights too."""
    tensors = tensors_of(model)
    nodes = [each for each in nodes_of(model, "Conv") if each.input[1] in tensors and attribute(each, "group", 1) == 1]
    nodes = [each for each in nodes if tensors[each.input[1]].dims[1] > 1 and each in list(model.graph.node)][:1]
    for node in nodes:
        count = tensors[node.input[1]].dims[1]
        order = np.arange(count)[::-1].copy()
        change(tensors[node.input[1]], lambda values: values[:, ::-1])
        _before(model, node, lambda graph, x, order=order: graph.add("Gather", x, order, axis=1))
    return bool(nodes)


def division_by_product(model: onnx.ModelProto) -> bool:
    """Multiply by the inverse of constants that are divided by."""
    tensors = tensors_of(model)
    nodes = [
        each
        for each in nodes_of(model, "Div")
        if each.input[1] in tensors and tensors[each.input[1]].data_type == onnx.TensorProto.FLOAT
    ]
    for number, node in enumerate(nodes):
        inverse = np.float32(1) / numpy_helper.to_array(tensors[node.input[1]])
        name = f"inverse.{number}"
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(inverse, np.float32), name))
        node.op_type, node.input[1] = "Mul", name
    return bool(nodes)


def newer_ir(model: onnx.ModelProto) -> bool:
    model.ir_version = 10
    return True


def identities(model: onnx.ModelProto) -> bool:
    """Put operators that change nothing behind each linear operator."""
    nodes = [node for node in model.graph.node if node.op_type in ("Conv", "Gemm", "MatMul", "ConvTranspose")]
    for node in nodes:
        rewire(model, node.output[0], lambda graph, x: graph.add("Cast", graph.add("Identity", x), to=1))
    return bool(nodes)


def padding_apart(model: onnx.ModelProto) -> bool:
    """Pad before convolutions instead of in them."""
    nodes = [each for each in model.graph.node if each.op_type == "Conv" and any(attribute(each, "pads", []))]
    for node in nodes:
        pads = attribute(node, "pads", [])
        half = len(pads) // 2
        whole = np.array([0, 0, *pads[:half], 0, 0, *pads[half:]])
        set_attribute(node, "pads", [0] * len(pads))
        _before(model, node, lambda graph, x, whole=whole: graph.add("Pad", x, whole, np.float32(0)))
    return bool(nodes)


FORMS: dict[str, Form] = {
    "operator set 15": with_opset(15),
    "operator set 18": with_opset(18),
    "operator set 21": with_opset(21),
    "simplified": in_place(simplified),
    "weights as nodes": weights_as_nodes,
    "newer IR version": newer_ir,
    "folded normalisation": folded_normalisation,
    "normalisation written out": normalisation_written_out,
    "layer normalisation written out": layer_normalisation_written_out,
    "softmax written out": softmax_written_out,
    "softmax of less the maximum": softmax_of_less_the_maximum,
    "sigmoid written out": sigmoid_written_out,
    "bias apart": bias_apart,
    "padding apart": padding_apart,
    "product and sum": product_and_sum,
    "products as convolutions": kernels_by_convolution,
    "channels permuted and back": channels_permuted,
    "division by product": division_by_product,
    "identities": identities,
}
