"""Layers as they are written, and the two files that they make.

Text is printed by protobuf, which escapes names: one with quotes, braces or line ends in it is never syntax.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from google.protobuf import text_format

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array
from modelport_converter.frameworks.caffe.reading.schema import new_architecture, new_weights

ARCHITECTURE, WEIGHTS = "deploy.prototxt", "net.caffemodel"
MAX_BYTES = (1 << 31) - 1
"""Of a message of protobuf."""
Parameters = Mapping[str, Mapping[str, Any]]
"""By what stands before `_param`, and by field; a value of an enumeration is its word."""


class Layer(NamedTuple):
    """One layer, whose name is that of its first top: OpenCV asks for answers by the names of layers."""

    kind: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    parameters: Parameters
    blobs: tuple[Array, ...]

    @property
    def name(self) -> str:
        """Its name; what takes its bottoms and makes nothing has one of them."""
        return self.tops[0] if self.tops else f"{self.bottoms[0]}/{self.kind.lower()}"

    @property
    def cuts_rows(self) -> bool:
        """Whether it takes some rows of a batch."""
        return self.kind == "Slice" and self.parameters["slice"]["axis"] == 0

    def is_same(self, other: "Layer") -> bool:
        """Whether both compute the same, by the same names."""
        return self[:4] == other[:4] and all(map(np.array_equal, self.blobs, other.blobs))


class Net(NamedTuple):
    """A net, whose inputs have these shapes."""

    name: str
    inputs: Mapping[str, Sequence[int]]
    layers: Sequence[Layer]


def write_files(net: Net, folder: Path) -> None:
    """Write both files. Raises ModelportError (ConversionFailed) for more weights than a message holds."""
    text, content = new_architecture(), new_weights()
    text.name = net.name
    for name, shape in net.inputs.items():
        text.layer.add(name=name, type="Input", top=[name]).input_param.shape.add(dim=shape)
    for layer in net.layers:
        _add(text, layer)
        if layer.blobs:
            kept = content.layer.add(name=layer.name.encode(), type=layer.kind.encode())
            for array in layer.blobs:
                kept.blobs.add(data=[np.asarray(array, "<f4").tobytes()]).shape.dim.extend(array.shape)
    if content.ByteSize() > MAX_BYTES:
        message = f"expected at most {MAX_BYTES} bytes of weights, which is all that a caffemodel holds, found more"
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    folder.mkdir()
    (folder / ARCHITECTURE).write_text(text_format.MessageToString(text), encoding="utf-8")
    (folder / WEIGHTS).write_bytes(content.SerializeToString())


def _add(text: Any, layer: Layer) -> None:
    added = text.layer.add(name=layer.name, type=layer.kind, bottom=layer.bottoms, top=layer.tops)
    for kind, fields in layer.parameters.items():
        message = getattr(added, f"{kind}_param")
        for name, value in fields.items():
            if name == "shape":
                message.shape.dim.extend(value)
            elif isinstance(value, (list, tuple)):
                getattr(message, name).extend(value)
            else:
                words = message.DESCRIPTOR.fields_by_name[name].enum_type
                setattr(message, name, words.values_by_name[value].number if words else value)
