"""All operators that are written here, by their kind."""

from collections.abc import Mapping

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport_converter.frameworks.paddle.operators import (
    elementwise,
    imaging,
    placing,
    pooling,
    products,
    recurrent,
    repeating,
    shaping,
)
from modelport_converter.frameworks.paddle.operators.base import Writer, attribute
from modelport_converter.frameworks.paddle.reading.program import Program

WRITERS: Mapping[str, Writer] = {
    **elementwise.WRITERS, **imaging.WRITERS, **placing.WRITERS, **pooling.WRITERS, **products.WRITERS,
    **recurrent.WRITERS, **repeating.WRITERS, **shaping.WRITERS,
}  # fmt: skip
LAST = frozenset({"NHWC", "NDHWC", "NLC", "NWC"})
"""Formats with the channels last, which paddle2onnx passes over."""
OF_IMAGES = ("conv", "pool", "norm", "interp", "prelu")
"""What the kinds of operators hold that have such a format."""


def refuse_wrong(program: Program) -> None:
    """Raise ModelportError (ConversionFailed) for an operator that would be converted to something else."""
    for each in program.operators:
        layout = str(attribute(each, "data_format", "data_layout", default=""))
        if layout in LAST and any(part in each.kind for part in OF_IMAGES):
            raise _refusal(each.kind, f"data_format {layout}", "channels first, as NCHW")
        if "transpose" in each.kind and attribute(each, "padding_algorithm") == "SAME":
            raise _refusal(each.kind, "padding SAME", "padding in numbers")
        is_dilated = any(number != 1 for number in attribute(each, "dilations", default=[]))
        if each.kind.endswith("conv2d") and attribute(each, "padding_algorithm") == "SAME" and is_dilated:
            raise _refusal(each.kind, "padding SAME with dilation, which Paddle ignores then", "padding in numbers")


def _refusal(kind: str, found: str, expected: str) -> ModelportError:
    message = f"operator {kind}: expected {expected}, found {found}; build the network so, and save it again"
    return ModelportError(Reason.CONVERSION_FAILED, message)
