"""Names of a flatbuffer's inputs and outputs: its signature says which tensor has which (schema.fbs of TensorFlow Lite)."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

IDENTIFIER = b"TFL3"
_NUMBER = re.compile(rb"(\d+)$")


def name_signature(path: Path, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Give the tensors of the only signature, which litert-torch names by number, their names, in this order."""
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    (signature,) = model.signatureDefs
    for side, names in ((signature.inputs, inputs), (signature.outputs, outputs)):
        side.sort(key=_number)
        for each, name in zip(side, names, strict=True):
            each.name = name.encode()
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    path.write_bytes(bytes(builder.Output()))


def _number(named: Any) -> int:
    found = _NUMBER.search(named.name)
    return int(found[1]) if found else 0
