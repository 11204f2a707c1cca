"""PyTorch: weights (a state dict, saved by torch.save) with a factory that builds the model."""

from modelport.api import Spec
from modelport.contract import ModelportError
from modelport.formats.base import Converter, Format
from modelport.formats.onnx import OnnxOptions
from modelport.reasons import Reason


def _recognise(name: str, head: bytes) -> bool:
    # torch.save writes a zip archive (since 1.6), before that a pickle that begins with a magic number
    return name.endswith((".pt", ".pth", ".bin", ".ckpt")) and head.startswith((b"PK\x03\x04", b"\x80\x02"))


def _check(spec: Spec) -> None:
    if spec.source.code is None:
        raise ModelportError(
            Reason.INVALID_SPEC,
            "spec.source.code: weights alone make no model; expected uri, digest and factory of the code that builds it",
        )
    if not spec.source.inputs:
        raise ModelportError(
            Reason.INPUTS_NEEDED,
            "spec.source.inputs: a state dict does not tell the model's inputs; expected at least one",
        )


FORMATS = (
    Format(
        "pytorch-state-dict",
        "PyTorch weights (torch.save of a state dict) with a factory",
        _recognise,
        "converter-pytorch",
    ),
)
CONVERTERS = (
    Converter("pytorch-state-dict-to-onnx", "pytorch-state-dict", "onnx", "converter-pytorch", OnnxOptions, 10, _check),
)
