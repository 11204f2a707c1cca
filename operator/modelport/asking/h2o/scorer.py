"""A model of H2O that answers: named inputs become a table's columns, and H2O's numbers become named outputs."""

import struct
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Literal

import msgspec
import numpy as np

from modelport.api.reasons import Reason
from modelport.asking.java import Process, Program
from modelport.verification.arrays import Array, Tensors

Kind = Literal["mojo", "pojo"]
PROGRAM = Program(Path(__file__).with_name("Scorer.java"), "H2O's scorer", Reason.RUNTIME_UNSUPPORTED)
NUMBERS, TEXTS = "numbers", "texts"
"""Inputs of a table that has more columns than a signature has inputs: one of all numbers, one of all texts."""
ROWS = 16_384
"""Of one question; more are asked one question after the other."""
LABEL = "label"
WHOLE = frozenset({"cluster", "is_anomaly"})
"""Outputs that are whole numbers."""


class Column(msgspec.Struct, frozen=True):
    """A column of the table."""

    name: str
    domain: tuple[str, ...] | None = None
    """The texts that the model knows, or None: it takes numbers."""
    offset: bool = False
    """Whether it is added to each answer before the link, so that it must be known."""


class Output(msgspec.Struct, frozen=True):
    """What the model answers with: a number for each row, or `width` of them."""

    name: str
    width: int
    labels: tuple[str, ...] | None = None
    """What the number is the place of."""


class Description(msgspec.Struct, frozen=True):
    """What the process says of the model (Scorer.java)."""

    category: str
    columns: tuple[Column, ...]
    outputs: tuple[Output, ...]


class Scorer:
    """A model, loaded. Any thread may ask, one after the other; a process that has ended is started anew."""

    def __init__(self, kind: Kind, path: Path, *, threads: int = 1) -> None:
        """Load the model. Raises ModelportError (RuntimeUnsupported) with why H2O refuses it, and MemoryError."""
        self._arguments = (kind, str(path), str(threads))
        self._process = Process(PROGRAM, self._arguments)
        self._lock = Lock()
        self.description = msgspec.json.decode(self._process.first, type=Description)
        self._names = _named_apart(self.description)

    def find_thresholds(self) -> dict[str, tuple[float, ...]]:
        """Return what to ask, by column of numbers: what trees compare with, or means with two deviations around them."""
        return msgspec.json.decode(self._ask(b"t"), type=dict[str, tuple[float, ...]])

    def answer(self, tensors: Tensors) -> Tensors:
        """Return the answers, of float64 where an input is of it. Raises RefusedError, and what `__init__` raises."""
        columns = self._columns(tensors)
        count = len(columns[0]) if columns else 0
        parts = [self._answer_some([each[at : at + ROWS] for each in columns]) for at in range(0, max(count, 1), ROWS)]
        whole = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)] if len(parts) > 1 else parts[0]
        wide = np.float64 if any(array.dtype == np.float64 for array in tensors.values()) else np.float32
        return {
            name: _served(output, array, wide)
            for name, output, array in zip(self._names, self.description.outputs, whole, strict=True)
        }

    def _columns(self, tensors: Tensors) -> list[Array]:
        """Return each column, [rows]."""
        found, taken = [], dict.fromkeys((NUMBERS, TEXTS), 0)
        for column in self.description.columns:
            array = tensors.get(column.name)
            if array is None:
                name = NUMBERS if column.domain is None else TEXTS
                array = tensors[name][:, taken[name]]
                taken[name] += 1
            found.append(array.reshape(-1))
        return found

    def _answer_some(self, columns: Sequence[Array]) -> list[Array]:
        rows = len(columns[0]) if columns else 0
        parts = [b"q", struct.pack("<i", rows)]
        for column, array in zip(self.description.columns, columns, strict=True):
            if column.domain is None:
                parts.append(array.astype("<f8").tobytes())
            else:
                texts = [str(each).encode(errors="surrogateescape") for each in array]
                parts.append(np.array([len(text) for text in texts], "<i4").tobytes())
                parts += texts
        numbers = np.frombuffer(self._ask(b"".join(parts)), "<f8")
        ends = np.cumsum([rows * output.width for output in self.description.outputs])[:-1]
        return [
            part.reshape(rows, output.width)
            for output, part in zip(self.description.outputs, np.split(numbers, ends), strict=True)
        ]

    def _ask(self, question: bytes) -> bytes:
        with self._lock:
            if not self._process.is_alive:
                self._process = Process(PROGRAM, self._arguments)
            return self._process.ask(question)


def _named_apart(description: Description) -> list[str]:
    """Return the names of the outputs, with a number behind each that a column has."""
    taken, names = {column.name for column in description.columns}, []
    for output in description.outputs:
        name, number = output.name, 2
        while name in taken:
            name, number = f"{output.name}_{number}", number + 1
        names.append(name)
    return names


def _served(output: Output, array: Array, dtype: type[np.floating]) -> Array:
    if output.labels is not None:
        labels = np.array([*output.labels, ""], object)  # of a row that the model gives no class
        places = np.where(np.isfinite(array[:, 0]), array[:, 0], len(output.labels))
        return labels[places.astype(np.int64)]
    if output.name in WHOLE:
        return array[:, 0].astype(np.int64)
    with np.errstate(over="ignore"):  # of numbers beyond the type
        found = array.astype(dtype)
    return found[:, 0] if output.width == 1 and output.name not in MATRICES else found


MATRICES = frozenset(
    {"probabilities", "calibrated_probabilities", "distances", "dimensions", "reconstructed", "encoded", "reason_codes"}
)
"""Outputs with a second axis, be it of one number."""
