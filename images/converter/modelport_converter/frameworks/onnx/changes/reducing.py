"""A model in less precision than its source: half precision, or 8 bits, by ONNX Runtime's own tools.

Inputs and outputs keep their types. What is lost is for the gate: half precision has units of its own, and 8 bits pass
within a tolerance that the user states.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_dynamic, quantize_static
from onnxruntime.transformers.float16 import ALWAYS_FLOAT_INPUTS, DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

from modelport.api.reasons import Reason
from modelport.errors import ModelportError, lacks_memory
from modelport.verification.arrays import Tensors
from modelport_converter.frameworks.onnx.changes.preparing import (
    float_operators,
    name_stacks,
    prepared,
    put_back,
    take_passed,
)
from modelport_converter.onnx_graphs.files import load_whole, opset_of
from modelport_converter.onnx_graphs.graphs import infer_tensors, tensors_of
from modelport_converter.onnx_graphs.precision import find_precision
from modelport_converter.tasks import last_line

_CHANNELS = 13
DOUBTS = {
    "float16": "precision: float16 rounds weights and numbers to 11 bits, and what is above 65,504 is infinite in it",
    "int8": "precision: int8 rounds weights and numbers to 8 bits; state spec.verification.tolerance, such as relative or "
    "top1, if such an error is acceptable, or give spec.target.calibration real samples",
}
"""By precision: what may be the cause of a failed gate."""


def to_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model, which has all its weights inside, in half precision. Raises ModelportError (ConversionFailed)."""
    model = prepared(model)
    passed = take_passed(model)
    kept = sorted({*DEFAULT_OP_BLOCK_LIST, *float_operators(model)} - ALWAYS_FLOAT_INPUTS.keys())
    try:
        reduced = convert_float_to_float16(model, keep_io_types=True, op_block_list=kept)
    except Exception as error:
        raise _refused("float16", error) from error
    assert isinstance(reduced, onnx.ModelProto)
    put_back(reduced, passed)
    return reduced


def to_int8(model: onnx.ModelProto, samples: Sequence[Tensors]) -> onnx.ModelProto:
    """Return the model with weights in 8 bits; numbers, too, in the ranges that they have for the samples, if there are any.

    Without samples ranges are measured anew in each run. Raises ModelportError (ConversionFailed).
    """
    model = prepared(model)
    if find_precision(model, infer_tensors(model)) in ("float16", "bfloat16"):
        message = "options.precision: int8: expected a model in float32, found one in half precision; leave it out"
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    passed = take_passed(model)
    # along channels, integers have their scales since operator set 13
    settings = {
        "per_channel": not samples or opset_of(model) >= _CHANNELS,
        "nodes_to_exclude": [] if samples else name_stacks(model),
    }
    before = {tensor.name for tensor in tensors_of(model)}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        try:
            if samples:
                # unsigned times unsigned: processors without VNNI saturate sums of unsigned times signed
                quantize_static(
                    model,
                    path,
                    _Reader(samples),
                    **settings,
                    activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QUInt8,
                )
            else:
                quantize_dynamic(model, path, weight_type=QuantType.QInt8, **settings)
        except Exception as error:
            raise _refused("int8", error) from error
        reduced = load_whole(path)
    if {tensor.name for tensor in tensors_of(reduced)} <= before:
        message = (
            "options.precision: int8: ONNX Runtime's tool finds no weights in float32 that it rounds; leave it out"
        )
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    put_back(reduced, passed)
    return reduced


class _Reader(CalibrationDataReader):
    """Hands samples to the tool one by one."""

    def __init__(self, samples: Sequence[Tensors]) -> None:
        self._samples: Iterator[Tensors] = iter(samples)

    def get_next(self) -> Tensors | None:
        """Return the next one; None at the end."""
        return next(self._samples, None)


def _refused(precision: str, error: Exception) -> ModelportError:
    if isinstance(error, ModelportError) or lacks_memory(error):
        raise error
    message = f"options.precision: {precision}: ONNX Runtime's tool fails: {last_line(error)}; leave it out"
    return ModelportError(Reason.CONVERSION_FAILED, message)
