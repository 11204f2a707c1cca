"""onnxslim, and what it must be told: it takes the parts of a Split for alike, though the last one may be shorter."""

from collections.abc import Iterable

import numpy as np
import onnx
import onnxslim
from onnx import numpy_helper
from onnx.helper import make_node

from modelport_converter.onnx_graphs.graphs import attribute_of, fresh_name, infer_tensors, names_of, scopes_of

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
    tensors, taken = infer_tensors(model), names_of(model)
    for scope in scopes:
        nodes = [each for node in scope.nodes for each in _told(node, tensors, taken)]
        del scope.nodes[:]
        scope.nodes.extend(nodes)


def _is_counted(node: onnx.NodeProto) -> bool:
    return node.op_type == SPLIT and attribute_of(node, COUNT) is not None


def _told(node: onnx.NodeProto, tensors: dict[str, onnx.TypeProto.Tensor], taken: set[str]) -> Iterable[onnx.NodeProto]:
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
    made: list[onnx.NodeProto] = []

    def add(operator: str, *operands: "str | list[int]", **attributes: int) -> str:
        names = [each if isinstance(each, str) else number(each) for each in operands]
        name = fresh_name(f"{node.output[0]}_parts", taken)
        made.append(make_node(operator, names, [name], **attributes))
        return name

    def number(values: list[int]) -> str:
        name = fresh_name(f"{node.output[0]}_parts", taken)
        tensor = numpy_helper.from_array(np.array(values, np.int64))
        made.append(make_node("Constant", [], [name], value=tensor))
        return name

    if length is not None:
        part = -(-length // count)
        copy.input[1:] = [number([part] * (count - 1) + [length - part * (count - 1)])]
        return [*made, copy]
    free = add("Gather", add("Shape", node.input[0]), [axis], axis=0)
    part = add("Div", add("Add", free, [count - 1]), [count])
    rest = add("Sub", free, add("Mul", part, [count - 1]))
    copy.input[1:] = [add("Concat", *[part] * (count - 1), rest, axis=0)]
    return [*made, copy]


def _length(tensor: onnx.TypeProto.Tensor | None, axis: int) -> int | None:
    if tensor is None or not tensor.HasField("shape"):
        return None
    lengths = tensor.shape.dim
    is_known = -len(lengths) <= axis < len(lengths) and lengths[axis].HasField("dim_value")
    return lengths[axis].dim_value if is_known else None
