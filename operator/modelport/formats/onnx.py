"""ONNX: an open format for models, with its own converter for opset changes and simplification."""

from typing import Annotated, Literal

from msgspec import Meta

from modelport.formats.base import Converter, Format, Options

OPSETS = range(9, 24)
Precision = Literal["float32"]


class OnnxOptions(Options, frozen=True, kw_only=True):
    """Options of what writes ONNX."""

    opset: Annotated[int | None, Meta(description="Operator set version, 9 to 23; kept, or 17, if not said.")] = None
    simplify: Annotated[bool, Meta(description="Fold constants and remove what has no effect.")] = False
    precision: Annotated[
        Precision | None,
        Meta(
            description="Compute in float32 what the source computes in float64; inputs and outputs keep their types."
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.opset is not None and self.opset not in OPSETS:
            raise ValueError(f"opset: expected {OPSETS[0]} to {OPSETS[-1]}, found {self.opset}")


def _recognise(name: str, head: bytes) -> bool:
    # ModelProto begins with field 1 (ir_version, varint): onnx.proto
    return name.endswith(".onnx") and head[:1] == b"\x08"


FORMATS = (
    Format("onnx", "ONNX model (.onnx, external data beside it)", _recognise, "converter-onnx", holds_graph=True),
)
CONVERTERS = (Converter("onnx-to-onnx", "onnx", "onnx", "converter-onnx", OnnxOptions, 1),)
