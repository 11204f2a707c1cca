"""onnxslim, and what it must be told: it takes the parts of a Split for alike, though the last one may be shorter."""

from collections.abc import Mapping, Sequence

import onnx
import onnxslim
from onnx.helper import make_node

from modelport_converter.onnx_graphs.graphs import attribute_of, infer_tensors, names_of, scopes_of
from modelport_converter.onnx_graphs.writing import GraphWriter

SPLIT, COUNT = "Split", "num_outputs"


def slim(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with constants folded and without what has no effect; the one given is changed. Raises whatever onnxslim raises."""
    tell_parts(model)
    result = onnxslim.slim(model, model_check=False)
    assert isinstance(result, onnx.ModelProto)
    return result


def tell_parts(model: onnx.ModelProto) -> None:
    """Give each Split that tells a number of parts their lengths in its place, in place of the model."""
    scopes = [scope for scope in scopes_of(model) if any(_is_counted(node) for node in scope.nodes)]
    if not scopes:
        return
    tensors, writer = infer_tensors(model), GraphWriter(taken=names_of(model))
    for scope in scopes:
        nodes = [each for node in scope.nodes for each in _told(node, tensors, writer)]
        del scope.nodes[:]
        scope.nodes.extend(nodes)


def _is_counted(node: onnx.NodeProto) -> bool:
    return node.op_type == SPLIT and attribute_of(node, COUNT) is not None


def _told(
    node: onnx.NodeProto, tensors: Mapping[str, onnx.TypeProto.Tensor], writer: GraphWriter
) -> Sequence[onnx.NodeProto]:
    """Return a node, behind those that compute the lengths of its parts where it needs some."""
    copy = onnx.NodeProto.FromString(node.SerializeToString())  # emptying a list of nodes ends them
    if not _is_counted(node):
        return [copy]
    axis, count = getattr(attribute_of(node, "axis"), "i", 0), len(node.output)
    length = _length(tensors.get(node.input[0]), axis)
    if length is not None and length % count == 0:
        return [copy]
    kept = [each for each in copy.attribute if each.name != COUNT]
    del copy.attribute[:]
    copy.attribute.extend(kept)
    nodes, weights = len(writer.nodes), len(writer.weights)
    if length is not None:
        part = -(-length // count)
        parts = writer.lengths(*[part] * (count - 1), length - part * (count - 1))
    else:
        free, others = writer.length(node.input[0], axis), writer.lengths(count - 1)
        equal = writer.add("Div", writer.add("Add", free, others), writer.lengths(count))
        rest = writer.add("Sub", free, writer.add("Mul", equal, others))
        parts = writer.concat([*[equal] * (count - 1), rest], 0)
    copy.input[1:] = [parts]
    # a weight can stand in no function
    constants = [make_node("Constant", [], [each.name], value=each) for each in writer.weights[weights:]]
    return [*constants, *writer.nodes[nodes:], copy]


def _length(tensor: onnx.TypeProto.Tensor | None, axis: int) -> int | None:
    if tensor is None or not tensor.HasField("shape"):
        return None
    lengths = tensor.shape.dim
    is_known = -len(lengths) <= axis < len(lengths) and lengths[axis].HasField("dim_value")
    return int(lengths[axis].dim_value) if is_known else None
