"""What the codes of MXNet's two kinds of Reshape mean: which lengths of the operand each length of the result follows from."""

from collections.abc import Sequence
from typing import NamedTuple

from modelport_converter.frameworks.mxnet.symbols.operators.node import Call, Shape

OLDER = {0: "keep", -1: "left", -2: "rest", -3: "join", -4: "split"}
"""InferReshapeShape in src/operator/tensor/matrix_op-inl.h."""
NUMPY = {-1: "left", -2: "keep", -3: "one", -4: "rest", -5: "join", -6: "split"}
"""NumpyXReshapeInferShape in src/operator/numpy/np_matrix_op.cc."""


class Part(NamedTuple):
    """A length of the result: that of the axes of the operand, multiplied, by a divisor; no axes: it is known, or what is left."""

    axes: tuple[int, ...] = ()
    divisor: int = 1


def read_codes(call: Call, codes: Sequence[int], shape: Shape, meaning: dict[int, str]) -> list[Part]:
    """Return a part for each length of the result."""
    parts: list[Part] = []
    waiting = list(codes)
    axis = 0
    while waiting:
        code = waiting.pop(0)
        kind = meaning.get(code, "number")
        needed = {"keep": 1, "join": 2, "split": 1, "one": 1}.get(kind, 0)
        if axis + needed > len(shape) or (kind == "split" and len(waiting) < 2):  # noqa: PLR2004  # its two lengths
            raise call.refuse(f"expected a code for {len(shape)} axes", str(list(codes)))
        if kind == "rest":
            parts += [Part((each,)) for each in range(axis, len(shape))]
            axis = len(shape)
            continue
        if kind == "split":
            parts += _split(axis, shape[axis], waiting.pop(0), waiting.pop(0))
        elif kind != "one":
            parts.append(Part(tuple(range(axis, axis + needed))))
        axis += needed or (1 if meaning is OLDER else 0)
    return parts


def _split(axis: int, length: int | None, first: int, second: int) -> list[Part]:
    known = first if first > 0 else second
    if length is not None or known <= 0:
        return [Part(), Part()]
    rest = Part((axis,), known)
    return [Part(), rest] if first > 0 else [rest, Part()]
