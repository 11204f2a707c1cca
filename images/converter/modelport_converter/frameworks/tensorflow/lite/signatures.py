"""Which signature of a flatbuffer answers: a server takes the one to serve, or the only one."""

from pathlib import Path

import flatbuffers
from tensorflow.lite.python import schema_py_generated as schema

from modelport_converter.frameworks.tensorflow.model import SERVING

IDENTIFIER = b"TFL3"


def give_signature(path: Path, key: str | None) -> None:
    """Have servers take the signature of this name: where they would take another one, it is left alone in the file."""
    if key is None or key == SERVING:
        return
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    told = [each for each in model.signatureDefs or () if each.signatureKey.decode() == key]
    if not told or len(model.signatureDefs) == 1:
        return
    model.signatureDefs = told
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    path.write_bytes(bytes(builder.Output()))
