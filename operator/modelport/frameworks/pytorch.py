"""PyTorch: weights (a state dict, saved by torch.save) with a factory that builds the model."""

from modelport.conversion.base import Converter, Format, Framework
from modelport.conversion.onnx_options import OnnxOptions


def _recognise(name: str, head: bytes) -> bool:
    # torch.save writes a zip archive (since 1.6), before that a pickle that begins with a magic number
    return name.endswith((".pt", ".pth", ".bin", ".ckpt")) and head.startswith((b"PK\x03\x04", b"\x80\x02"))


FRAMEWORK = Framework(
    "pytorch",
    "PyTorch",
    formats=(
        Format(
            "pytorch-state-dict",
            "PyTorch weights (torch.save of a state dict) with a factory",
            _recognise,
            needs=("code", "inputs"),
        ),
    ),
    converters=(
        Converter("pytorch-state-dict", "onnx", OnnxOptions, cost=10),
        # torch.onnx.export(dynamo=True) alone: slower, and right where a trace is not
        Converter("pytorch-state-dict", "onnx", OnnxOptions, cost=20, by="dynamo"),
    ),
)
