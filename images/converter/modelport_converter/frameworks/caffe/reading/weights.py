"""The caffemodel: numbers by layer, in single, double or half precision."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array
from modelport_converter.frameworks.caffe.reading.schema import new_weights

HDF5 = b"\x89HDF"
RAW_TYPES = {0: "<f8", 1: "<f4", 2: "<f2"}
"""NVIDIA's dialect, which OpenCV's shrinking of models to half precision writes, too."""
MAX_AXES = 32
"""Caffe's own limit (kMaxBlobAxes)."""


def read_weights(path: Path) -> dict[str, list[Array]]:
    """Return the float32 arrays of each layer that has any, by name; little-endian, as the wire format is.

    Raises ModelportError: SourceCorrupt for what is no such message, or whose arrays are not as long as their shapes say.
    """
    content = path.read_bytes()
    if content.startswith(HDF5):
        message = (
            f"{path.name}: found weights in HDF5; save them by Caffe with snapshot_format: BINARYPROTO, "
            "or net.save of pycaffe"
        )
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    net = new_weights()
    try:
        net.ParseFromString(content)
    except (DecodeError, ValueError) as error:
        raise _corrupt(path, "a caffemodel", f"{error!s:.200}") from error
    found: dict[str, list[Array]] = {}
    for layer in (*net.layer, *net.layers):
        if layer.blobs:
            name = layer.name.decode(errors="replace")
            if name in found:
                raise _corrupt(path, "weights of each layer once", f"those of {name:.60} twice")
            found[name] = [_array(path, name, number, blob) for number, blob in enumerate(layer.blobs)]
    if any(each.HasField("layer") for each in net.layers):
        message = (
            f"{path.name}: found the first generation of Caffe; bring it to the newest by Caffe's "
            "upgrade_net_proto_binary"
        )
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    if not found:
        raise _corrupt(path, "weights of layers", "none")
    return found


def _array(path: Path, layer: str, number: int, blob: Any) -> Array:
    old = (blob.num, blob.channels, blob.height, blob.width)
    # a blob that says both is read by the old four numbers (Blob::FromProto)
    is_old = any(blob.HasField(each) for each in ("num", "channels", "height", "width"))
    shape = old if is_old else tuple(blob.shape.dim)
    data = _content(path, layer, blob)
    count = math.prod(shape)
    if len(shape) > MAX_AXES or min(shape, default=0) < 0 or count != data.size:
        what = f"weights {number} of layer {layer:.60} as many as {list(shape)!s:.80} has"
        raise _corrupt(path, what, f"{data.size}")
    return data.reshape(shape)


def _content(path: Path, layer: str, blob: Any) -> Array:
    for content, kind in ((blob.data, "<f4"), (blob.double_data, "<f8")):
        if content:
            return _numbers(path, layer, content, kind)
    if not blob.HasField("raw_data"):
        return np.zeros(0, np.float32)
    kind = RAW_TYPES.get(blob.raw_data_type, "")
    if not kind:
        raise _corrupt(path, f"weights of layer {layer:.60} as floats", f"type {blob.raw_data_type}")
    return _numbers(path, layer, [blob.raw_data], kind)


def _numbers(path: Path, layer: str, content: Iterable[bytes], kind: str) -> Array:
    whole = b"".join(content)
    if len(whole) % np.dtype(kind).itemsize:
        raise _corrupt(path, f"whole numbers of {kind[1:]} in layer {layer:.60}", f"{len(whole)} bytes")
    return np.frombuffer(whole, kind).astype(np.float32)


def _corrupt(path: Path, expected: str, found: str) -> ModelportError:
    return ModelportError(Reason.SOURCE_CORRUPT, f"{path.name}: expected {expected}, found {found}")
