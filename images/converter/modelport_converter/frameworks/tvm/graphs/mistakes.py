"""What TVM's frontend takes and reads wrongly, and what no rewrite of the graph can mend: each seen with the right answer."""

from collections.abc import Callable

import onnx
from onnx.helper import get_attribute_value

from modelport_converter.onnx_graphs.graphs import Constants, attribute_of

Find = Callable[[onnx.NodeProto], str]
FIRST_OUTPUT_ALONE = ("Dropout", "LayerNormalization")
"""Operators whose mask, or mean and deviation, it answers wrongly."""
READ_AS: dict[str, dict[str, object]] = {
    "ConvTranspose": {"output_shape": None},
    "IsInf": {"detect_negative": 1, "detect_positive": 1},
    "RoiAlign": {"mode": b"avg"},
    "SpaceToDepth": {"mode": b"DCR"},
}
"""Attributes that it ignores, and the value that it takes them for; None: for any that is not set."""
BY_INDEX = ("GatherElements", "GatherND", "Scatter", "ScatterElements", "ScatterND")
"""Operators whose compiled code checks no index, which a request may give; those of Gather are kept within its input."""
INDICES = 1
"""Input of these operators."""
SCALES = 2
"""Input of Resize."""


def mistakes_in(model: onnx.ModelProto) -> Find:
    """Return what tells what is misread of a node of this model; nothing if it is read rightly."""
    constants = Constants(model)
    lengths = {
        value.name: [each.dim_value for each in value.type.tensor_type.shape.dim]
        for value in (*model.graph.value_info, *model.graph.input)
    }

    def find(node: onnx.NodeProto) -> str:
        if node.op_type in FIRST_OUTPUT_ALONE and any(node.output[1:]):
            return f"answers further outputs of {node.op_type} wrongly"
        for name, right in READ_AS.get(node.op_type, {}).items():
            given = attribute_of(node, name)
            if given is not None and get_attribute_value(given) != right:
                return f"ignores {name} of {node.op_type}"
        if node.op_type in BY_INDEX and constants.shape(node.input[INDICES]) is None:
            return f"would read or write wherever indices of {node.op_type} lead that are no constants"
        if node.op_type == "Resize" and len(node.input) > SCALES and node.input[SCALES]:
            return _find_in_scales(constants, node, lengths)
        return ""

    return find


def _find_in_scales(constants: Constants, node: onnx.NodeProto, lengths: dict[str, list[int]]) -> str:
    """Lengths are the scales' multiples, rounded; what TVM computes with is the quotient of the lengths."""
    scales = constants.read(node.input[SCALES])
    given = lengths.get(node.input[0])
    if scales is None or not scales.size:
        return ""
    for axis, scale in enumerate(scales.tolist()):
        length = given[axis] if given else 0
        if (length * scale) % 1 if length else scale % 1:
            return f"reads Resize by {scale:.4g} wrongly where that is no whole length"
    return ""
