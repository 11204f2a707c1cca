"""What TVM's frontend takes and reads wrongly, and what no rewrite of the graph can mend: each seen with the right answer."""

from collections.abc import Callable

import onnx
from onnx.helper import get_attribute_value

from modelport_converter.frameworks.tvm.graphs.lengths import lengths_of
from modelport_converter.onnx_graphs.graphs import Constants, attribute_of

Find = Callable[[onnx.NodeProto], str]
FIRST_OUTPUT_ALONE = ("Dropout", "LayerNormalization")
"""Operators whose mask, or mean and deviation, it answers wrongly."""
READ_AS: dict[str, dict[str, object]] = {
    "ConvTranspose": {"output_shape": None},
    "Resize": {"antialias": 0, "axes": None, "keep_aspect_ratio_policy": b"stretch"},
    "IsInf": {"detect_negative": 1, "detect_positive": 1},
    "RoiAlign": {"mode": b"avg"},
    "SpaceToDepth": {"mode": b"DCR"},
}
"""Attributes that it ignores, and the value that it takes them for; None: for any that is not set."""
BY_INDEX = {
    **dict.fromkeys(("GatherElements", "GatherND", "Scatter", "ScatterElements", "ScatterND", "MaxUnpool"), 1),
    "MaxRoiPool": 1,
    "RoiAlign": 2,
}
"""Operators whose compiled code checks no index, which a request may give, and the input that has them; those of Gather
are kept within its input."""
BY_SHAPE = ("Expand",)
"""Operators whose compiled code checks no shape that is computed."""
LENGTHS = ("Shape", "Size")
"""Operators that take nothing but lengths of their inputs."""
SCALES, SIZES = 2, 3
"""Inputs of Resize."""
KEPT = 2
"""First axes of Resize's input, which it passes over."""


def mistakes_in(model: onnx.ModelProto) -> Find:
    """Return what tells what is misread of a node of this model; nothing if it is read rightly."""
    constants, lengths, asked = Constants(model), lengths_of(model), _values_of_requests(model)

    def find(node: onnx.NodeProto) -> str:
        told = (check(constants, node, lengths) for check in CHECKS.get(node.op_type, ()))
        return _find_ignored(node) or _find_reach(constants, node, asked) or next(filter(None, told), "")

    return find


def _find_ignored(node: onnx.NodeProto) -> str:
    if node.op_type in FIRST_OUTPUT_ALONE and any(node.output[1:]):
        return f"answers further outputs of {node.op_type} wrongly"
    for name, right in READ_AS.get(node.op_type, {}).items():
        given = attribute_of(node, name)
        if given is not None and get_attribute_value(given) != right:
            return f"ignores {name} of {node.op_type}"
    return ""


def _find_reach(constants: Constants, node: onnx.NodeProto, asked: set[str]) -> str:
    """Tell of what a request could read, or write, beyond an operator's input."""
    if node.op_type in BY_INDEX and constants.shape(node.input[BY_INDEX[node.op_type]]) is None:
        return f"would read or write wherever indices of {node.op_type} lead that are no constants"
    if node.op_type in BY_SHAPE and asked & {*node.input[1:2]}:
        return f"would read wherever a shape of {node.op_type} leads that follows from the values of a request"
    return ""


def _values_of_requests(model: onnx.ModelProto) -> set[str]:
    """Return the names of what follows from the inputs' elements, and not from their lengths alone."""
    found = {value.name for value in model.graph.input}
    for node in model.graph.node:
        if node.op_type not in LENGTHS and found & {*node.input}:
            found |= {*node.output}
    return found


def _find_in_scales(constants: Constants, node: onnx.NodeProto, lengths: dict[str, list[int]]) -> str:
    """Lengths are the scales' multiples, rounded; what TVM computes with is the quotient of the lengths."""
    scales = constants.read(node.input[SCALES]) if len(node.input) > SCALES else None
    given = lengths.get(node.input[0])
    if scales is None or not scales.size:
        return ""
    for axis, scale in enumerate(scales.tolist()):
        if axis < KEPT and scale != 1:
            return f"passes over Resize by {scale:.4g} of axis {axis}"
        length = given[axis] if given else 0
        if (length * scale) % 1 if length else scale % 1:
            return f"reads Resize by {scale:.4g} wrongly where that is no whole length"
    return ""


def _find_in_sizes(constants: Constants, node: onnx.NodeProto, lengths: dict[str, list[int]]) -> str:
    sizes = constants.read(node.input[SIZES]) if len(node.input) > SIZES else None
    if sizes is None or not sizes.size:
        return ""
    pairs = zip(sizes.tolist()[:KEPT], lengths.get(node.input[0], [])[:KEPT], strict=False)
    return next(
        (
            f"passes over Resize to {size} of axis {axis}"
            for axis, (size, length) in enumerate(pairs)
            if length not in (0, size)
        ),
        "",
    )


def _find_in_scale(constants: Constants, node: onnx.NodeProto, lengths: dict[str, list[int]]) -> str:
    """Tell of a scale that has fewer axes than are normalised: TVM takes those for all."""
    axis = attribute_of(node, "axis")
    first = axis.i if axis else -1
    rank = len(lengths.get(node.input[0], []))
    normalized = -first if first < 0 else rank - first
    shapes = [lengths.get(name, constants.shape(name)) for name in node.input[1:] if name]
    if (rank or first < 0) and any(shape is not None and len(shape) != normalized for shape in shapes):
        return f"reads LayerNormalization wrongly whose scale has other axes than the {normalized} that it normalizes"
    return ""


def _find_in_values(constants: Constants, node: onnx.NodeProto, _lengths: dict[str, list[int]]) -> str:
    values = constants.read(node.input[2])
    is_float = values is not None and values.dtype.kind == "f"
    return "answers OneHot of floating-point numbers in float64" if is_float else ""


Check = Callable[[Constants, onnx.NodeProto, dict[str, list[int]]], str]
CHECKS: dict[str, tuple[Check, ...]] = {
    "LayerNormalization": (_find_in_scale,),
    "OneHot": (_find_in_values,),
    "Resize": (_find_in_scales, _find_in_sizes),
}
