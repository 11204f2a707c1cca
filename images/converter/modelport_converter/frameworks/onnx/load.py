"""ONNX models in the form that runtimes know."""

from pathlib import Path
from typing import NamedTuple

import onnx

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport_converter.frameworks.onnx.layouts import put_time_first
from modelport_converter.frameworks.onnx.values import take_probabilities
from modelport_converter.onnx_graphs.files import load_whole, opset_of

LOGGER = "onnx"
UNKNOWN_RANK = "Field 'shape' of 'type' is required but missing"
"""What onnx's checker says of an output whose rank is not known before it is asked; runtimes take such models."""

TOO_NEW = "ir_version"
"""What it says of a file that a newer onnx wrote."""


OLDEST = 7
"""The first operator set that ONNX Runtime has kernels of; before it, operators were told how to broadcast."""


class Model(NamedTuple):
    """An ONNX model in the form that runtimes know."""

    path: Path
    proto: onnx.ModelProto
    caveats: list[str]
    """What was changed for it."""


def check_model(path: Path) -> None:
    """Raise ModelportError (SourceCorrupt, RuntimeUnsupported) for a file that is no valid model."""
    try:
        onnx.checker.check_model(str(path))
    except Exception as error:  # protobuf and checker raise unrelated types
        told = " ".join(str(error).split())[:300]
        if UNKNOWN_RANK in told:
            return
        if TOO_NEW in told:
            message = f"{path.name}: {told} Export it with an older version of onnx"
            raise ModelportError(Reason.RUNTIME_UNSUPPORTED, message) from error
        raise ModelportError(
            Reason.SOURCE_CORRUPT, f"{path.name}: expected a valid ONNX model, found: {told}"
        ) from error


def check_operators(model: onnx.ModelProto) -> None:
    """Raise ModelportError (RuntimeUnsupported) for operators that are older than all that runtimes know."""
    opset = opset_of(model)
    if 0 < opset < OLDEST:  # 0: none of its operators is of the default domain
        by = f", as {model.producer_name:.80} wrote it" if model.producer_name else ""
        message = (
            f"operator set version {opset}{by}: expected {OLDEST} or newer; export the model again with a newer one"
        )
        raise ModelportError(Reason.RUNTIME_UNSUPPORTED, message)


def read_model(path: Path, *, is_whole: bool) -> Model:
    """Return the model, with its weights or without."""
    proto = load_whole(path) if is_whole else onnx.load(str(path), load_external_data=False)
    return Model(path, proto, [*take_probabilities(proto), *put_time_first(proto)])
