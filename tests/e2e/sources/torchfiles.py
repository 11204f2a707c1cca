"""PyTorch state dicts written without PyTorch: the tests' environment does not have it, and the format is plain.

torch.save writes a zip: `data.pkl` is a pickle in which each tensor is `torch._utils._rebuild_tensor_v2(storage, …)`, with
storages as persistent ids; `data/<n>` holds their bytes. The pickle is written opcode by opcode, because Python's
pickler needs the classes that it names.
"""

import io
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float32]]
EVIL = b"cos\nsystem\n"
"""GLOBAL os.system: what a hostile pickle names."""


def state_dict_bytes(weights: Mapping[str, Array], *, hostile: bool = False) -> bytes:
    """Return the file that torch.save({name: tensor}) makes; a hostile one runs a command when it is unpickled."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in _members(weights, hostile=hostile).items():
            archive.writestr(zipfile.ZipInfo(f"archive/{name}", (1980, 1, 1, 0, 0, 0)), content)
    return buffer.getvalue()


def _members(weights: Mapping[str, Array], *, hostile: bool) -> dict[str, bytes]:
    arrays = {name: np.ascontiguousarray(array, "<f4") for name, array in weights.items()}
    data = {f"data/{number}": array.tobytes() for number, array in enumerate(arrays.values())}
    return {"data.pkl": _pickle(arrays, hostile=hostile), "byteorder": b"little", **data, "version": b"3\n"}


def _pickle(arrays: Mapping[str, Array], *, hostile: bool) -> bytes:
    items = b"".join(_text(name) + _tensor(str(number), array) for number, (name, array) in enumerate(arrays.items()))
    if hostile:
        items += _text("bias") + EVIL + b"(" + _text("touch /tmp/owned") + b"tR"
    return b"\x80\x02" + b"}(" + items + b"u."  # PROTO 2, EMPTY_DICT MARK items SETITEMS STOP


def _tensor(key: str, array: Array) -> bytes:
    strides = [stride // array.itemsize for stride in array.strides]
    storage = b"(" + _text("storage") + b"ctorch\nFloatStorage\n" + _text(key) + _text("cpu") + _int(array.size) + b"tQ"
    hooks = b"ccollections\nOrderedDict\n)R"
    arguments = storage + _int(0) + _ints(array.shape) + _ints(strides) + b"\x89" + hooks
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + arguments + b"tR"


def _text(value: str) -> bytes:
    encoded = value.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def _int(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def _ints(values: "tuple[int, ...] | list[int]") -> bytes:
    return b"(" + b"".join(_int(value) for value in values) + b"t"
