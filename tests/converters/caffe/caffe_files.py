"""Small Caffe models written as its two files: text by hand, weights as messages."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modelport_converter.frameworks.caffe.reading.schema import new_weights

Blobs = Mapping[str, Sequence[Any]]


def input_layer(name: str, shape: Sequence[int]) -> str:
    return f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims(shape)} }} }} }}\n'


def dims(shape: Sequence[int]) -> str:
    return " ".join(f"dim: {each}" for each in shape)


def layer(kind: str, bottoms: str, tops: str, parameters: str = "", name: str = "") -> str:
    """Return a layer; of several bottoms or tops, names with spaces between."""
    ends = "".join(f' bottom: "{each}"' for each in bottoms.split()) + "".join(
        f' top: "{each}"' for each in tops.split()
    )
    return f'layer {{ name: "{name or tops.split(maxsplit=1)[0]}" type: "{kind}"{ends} {parameters} }}\n'


def weights(blobs: Blobs, *, half: bool = False, double: bool = False) -> bytes:
    """Return a caffemodel of the second generation."""
    net = new_weights()
    for name, arrays in blobs.items():
        added = net.layer.add(name=name.encode(), type=b"Any")
        for array in arrays:
            fill(added.blobs.add(), np.asarray(array, np.float32), half=half, double=double)
    return net.SerializeToString()


def old_weights(blobs: Blobs) -> bytes:
    """Return a caffemodel of the first named generation (V1), with four axes always."""
    net = new_weights()
    for name, arrays in blobs.items():
        added = net.layers.add(name=name.encode())
        for array in arrays:
            values = np.asarray(array, np.float32)
            shape = (*[1] * (4 - values.ndim), *values.shape)
            blob = added.blobs.add(data=[values.tobytes()])
            blob.num, blob.channels, blob.height, blob.width = shape
    return net.SerializeToString()


def fill(blob: Any, array: Any, *, half: bool, double: bool) -> None:
    blob.shape.dim.extend(array.shape)
    if half:
        blob.raw_data_type, blob.raw_data = 2, array.astype("<f2").tobytes()
    elif double:
        blob.double_data.append(array.astype("<f8").tobytes())
    else:
        blob.data.append(array.tobytes())


def write(folder: Path, text: str, content: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "deploy.prototxt").write_text(text)
    (folder / "net.caffemodel").write_bytes(content)
    return folder
