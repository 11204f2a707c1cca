"""Nodes whose inputs are all constant: computed once, while the code is written."""

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from modelport_converter.frameworks.pytorch.generating.nodes import Node
from modelport_converter.frameworks.pytorch.generating.operators import elementwise, indexing, reducing, shaping
from modelport_converter.frameworks.pytorch.generating.values import Value

MAX_FOLDED = 1 << 24
"""Elements of what is folded."""
_FAMILIES = (elementwise, indexing, reducing, shaping)
_FOLDED = {name for family in _FAMILIES for name in family.OPERATORS} - {"Dropout"} | {"DequantizeLinear"}
"""Operators that onnx's own evaluator computes as they are defined; of layers it knows but some attributes."""
_CHANGED = ("Softmax", "LogSoftmax", "Hardmax")
"""Operators of which the evaluator knows the newest meaning alone."""


def fold(node: Node) -> list[Value] | None:
    """Return the outputs of a node whose inputs are all constant; None if it has others, or is not folded."""
    given = [value.constant for value in node.inputs if value is not None]
    arrays = [each for each in given if each is not None]
    if not given or len(arrays) != len(given) or sum(each.size for each in arrays) > MAX_FOLDED:
        return None
    if node.proto.op_type not in _FOLDED or _is_odd(node) or (node.proto.op_type in _CHANGED and node.version < 13):  # noqa: PLR2004
        return None
    names = list(dict.fromkeys(name for name in node.proto.input if name))
    held = {
        name: value.constant for name, value in zip(node.proto.input, node.inputs, strict=True) if value is not None
    }
    inputs = [
        onnx.helper.make_tensor_value_info(
            name, onnx.helper.np_dtype_to_tensor_dtype(np.asarray(held[name]).dtype), None
        )
        for name in names
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in node.proto.output if name]
    graph = onnx.helper.make_graph([_in_order(node.proto)], "folded", inputs, outputs)
    try:
        evaluator = ReferenceEvaluator(
            onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", node.version)])
        )
        found = dict(
            zip([each.name for each in outputs], evaluator.run(None, {name: held[name] for name in names}), strict=True)
        )
    except Exception:  # noqa: BLE001  # what the evaluator lacks is computed when it is asked
        return None
    if any(
        not isinstance(each, (np.ndarray, np.generic)) or np.asarray(each).size > MAX_FOLDED for each in found.values()
    ):
        return None
    results = {name: np.asarray(each) for name, each in found.items()}
    if any(
        node.type_of(name) not in (0, onnx.helper.np_dtype_to_tensor_dtype(each.dtype))
        for name, each in results.items()
    ):
        return None  # the evaluator's own type
    return [Value(array=results[name]) if name else Value() for name in node.proto.output]


def _is_odd(node: Node) -> bool:
    """Return whether a slice goes backward from or to what ONNX Runtime takes for another place than the evaluator does."""
    if node.proto.op_type != "Slice" or not node.has(4):
        return False
    starts, ends, steps = (node.array(index).reshape(-1).tolist() for index in (1, 2, 4))
    spans = zip(starts, ends, steps, strict=True)
    return any(step < 0 and (start < -1 or end in indexing.NO_END) for start, end, step in spans)


def _in_order(proto: onnx.NodeProto) -> onnx.NodeProto:
    """Return a node whose axes are in the order that they count in."""
    copy = onnx.NodeProto()
    copy.CopyFrom(proto)
    for attribute in copy.attribute if proto.op_type == "Unsqueeze" else ():
        attribute.ints[:] = sorted(attribute.ints)
    return copy
