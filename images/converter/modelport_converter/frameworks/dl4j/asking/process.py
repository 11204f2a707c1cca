"""A DL4J model on the JVM: arrays as bytes there and back, in the form that Answering.java tells."""

import struct
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from modelport.api.reasons import Reason
from modelport.asking.java import Process, Program, RefusedError
from modelport.errors import ModelportError
from modelport.verification.arrays import Array

PROGRAM = Program(
    Path(__file__).with_name("Answering.java"),
    "DL4J",
    Reason.CONVERSION_FAILED,
    (
        "-Dorg.bytedeco.javacpp.maxBytes=0",  # arrays lie outside Java's heap, and the container limits them
        "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=off",
    ),
    has_folder=True,
)
KINDS = {"float32": b"f", "float64": b"d", "float16": b"h", "int64": b"l"}
SENT = {"f": ">f4", "d": ">f8", "h": ">f4", "l": ">i8"}
"""What values are sent as; float16 as float32, which holds all of them."""
TYPES = {"f": np.float32, "d": np.float64, "h": np.float16}


class Network:
    """A network, loaded."""

    def __init__(self, path: Path, *, is_graph: bool) -> None:
        """Load the model of a file. Raises ModelportError (ConversionFailed) with what DL4J says, and MemoryError."""
        self._process = Process(PROGRAM, [str(path), "graph" if is_graph else "network"])

    def answer(self, arrays: Sequence[Array]) -> list[Array]:
        """Return the outputs. Raises ModelportError (ConversionFailed) with what DL4J says, and MemoryError."""
        parts = [struct.pack(">i", len(arrays))]
        for array in arrays:
            kind = KINDS[str(array.dtype)]
            parts.append(struct.pack(f">cb{array.ndim}q", kind, array.ndim, *array.shape))
            parts.append(array.astype(SENT[kind.decode()]).tobytes())
        try:
            answer = BytesIO(self._process.ask(b"".join(parts)))
        except RefusedError as error:
            message = f"DL4J refuses what the model is asked: {error!s:.300}"
            raise ModelportError(Reason.CONVERSION_FAILED, message) from error
        (count,) = struct.unpack(">i", answer.read(4))
        return [_read_array(answer) for _ in range(count)]


def _read_array(answer: BytesIO) -> Array:
    kind, rank = struct.unpack(">cb", answer.read(2))
    shape = struct.unpack(f">{rank}q", answer.read(8 * rank))
    sent = np.dtype(SENT[kind.decode()])
    content = answer.read(int(np.prod(shape, dtype=np.int64)) * sent.itemsize)
    return np.frombuffer(content, sent).reshape(shape).astype(TYPES[kind.decode()])
