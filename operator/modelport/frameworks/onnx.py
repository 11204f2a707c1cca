"""ONNX: an open format for models, with its own converter for opset changes and simplification."""

from modelport.conversion.base import Converter, Format, Framework
from modelport.conversion.onnx_options import OnnxOptions


def _recognise(name: str, head: bytes) -> bool:
    # ModelProto begins with field 1 (ir_version, varint): onnx.proto
    return name.endswith(".onnx") and head[:1] == b"\x08"


FRAMEWORK = Framework(
    "onnx",
    "ONNX",
    formats=(Format("onnx", "ONNX model (.onnx, external data beside it)", _recognise, holds_graph=True),),
    converters=(Converter("onnx", "onnx", OnnxOptions, cost=1),),
)
