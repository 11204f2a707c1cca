"""A layer as it is given: its words, the shapes that it takes, its weights; and how it is refused."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array
from modelport_converter.frameworks.caffe.reading.architecture import Layer
from modelport_converter.frameworks.caffe.reading.schema import ENUMS

Length = int | str
"""A number, or the name of one that is free, such as the batch."""
Shape = tuple[Length, ...]
TEST = ENUMS["Phase"]["TEST"]
MAX_COUNT = (1 << 31) - 1
"""Caffe counts the numbers of a blob by an int."""


class NeedsLengthError(Exception):
    """A layer counts with a length that is free: the net has the one that it declares."""


class Parsed(NamedTuple):
    """What a layer computes, and the shapes that it makes."""

    operator: Any
    shapes: tuple[Shape, ...]


class Given(NamedTuple):
    """A layer with all that it is given."""

    layer: Layer
    shapes: tuple[Shape, ...]
    """Of its bottoms."""
    blobs: Sequence[Array]
    """Its weights as they are stored."""

    @property
    def shape(self) -> Shape:
        """The shape of its first bottom."""
        return self.shapes[0]

    def get(self, kind: str, name: str, default: Any) -> Any:
        """Return a parameter, or what Caffe takes where nothing is said."""
        message = getattr(self.layer.message, f"{kind}_param")
        return getattr(message, name) if message.HasField(name) else default

    def all(self, kind: str, name: str) -> list[Any]:
        """Return a parameter that may stand any number of times."""
        return list(getattr(getattr(self.layer.message, f"{kind}_param"), name))

    def has(self, kind: str, name: str) -> bool:
        """Whether a parameter is said."""
        return bool(getattr(self.layer.message, f"{kind}_param").HasField(name))

    def axis(self, kind: str, name: str = "axis", default: int = 1) -> int:
        """Return an axis, counted from the beginning."""
        found, rank = self.get(kind, name, default), len(self.shape)
        if not -rank <= found < rank:
            raise self.refuse(f"{kind}_param.{name}", f"an axis of {rank}", found)
        return int(found) % rank

    def need(self, bottoms: int, tops: int = 1, rank: int = 0) -> None:
        """Check how many blobs go in and out, and how many axes the first one has."""
        for what, expected, found in (
            ("bottom", bottoms, len(self.layer.bottoms)),
            ("top", tops, len(self.layer.tops)),
            ("axes of the bottom", rank or len(self.shape), len(self.shape)),
        ):
            if expected != found:
                raise self.refuse(what, str(expected), found)

    def take(self, *expected: Sequence[int]) -> list[Array]:
        """Return the weights in their shapes, float32. Raises ModelportError (WeightsMismatch) for any others.

        Old files store four axes always, the first of which are then 1.
        """
        if len(self.blobs) != len(expected):
            what = "missing" if len(self.blobs) < len(expected) else "unexpected"
            found = ", ".join(str(list(each.shape)) for each in self.blobs) or "none"
            wanted = ", ".join(str(list(each)) for each in expected) or "none"
            message = f"{self}: {what} weights: expected {wanted:.120}, found {found:.120}"
            raise ModelportError(Reason.WEIGHTS_MISMATCH, message)
        for number, (blob, shape) in enumerate(zip(self.blobs, expected, strict=True)):
            if _bare(blob.shape) != _bare(shape):
                message = f"{self}: weights {number}: expected {list(shape)!s:.80}, found {list(blob.shape)!s:.80}"
                raise ModelportError(Reason.WEIGHTS_MISMATCH, message)
        return [blob.reshape(shape) for blob, shape in zip(self.blobs, expected, strict=True)]

    def refuse_training(self) -> None:
        """Check that a layer that computes otherwise in training has no phase of its own that says so."""
        message = self.layer.message
        if "phase" in message.DESCRIPTOR.fields_by_name and message.HasField("phase") and message.phase != TEST:
            raise self.refuse("phase", "TEST, or nothing", "TRAIN, in which no answer is as the one before")

    def refuse(self, what: str, expected: str, found: object) -> ModelportError:
        """Return the error that names layer, parameter and value."""
        return ModelportError(Reason.CONVERSION_FAILED, f"{self}: {what}: expected {expected}, found {found!s:.160}")

    def __str__(self) -> str:
        return f"layer {self.layer.name:.60} ({self.layer.type:.40})"


Parser = Callable[[Given], Parsed]


def number(length: Length) -> int:
    """Return a length that must be known. Raises NeedsLengthError."""
    if isinstance(length, str):
        raise NeedsLengthError(length)
    return length


def numbers(lengths: Sequence[Length]) -> list[int]:
    """Return lengths that must be known. Raises NeedsLengthError."""
    return [number(each) for each in lengths]


def count(lengths: Sequence[Length]) -> int:
    """Return the product of lengths. Raises NeedsLengthError."""
    return math.prod(numbers(lengths))


def divided(whole: Sequence[Length], part: Sequence[Length]) -> int | None:
    """Return how often one number of elements fits into another; None: not evenly. Raises NeedsLengthError."""
    left, right = list(whole), list(part)
    for each in [each for each in left if isinstance(each, str)]:
        if each in right:
            left.remove(each)
            right.remove(each)
    above, below = count(left), count(right)
    return above // below if below and above % below == 0 else None


def is_same(one: Shape, other: Shape) -> bool:
    """Whether two shapes are equal. Raises NeedsLengthError where only a free length could tell."""
    if len(one) != len(other):
        return False
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
    for a, b in pairs:
        numbers([a, b])
    return not pairs


def _bare(shape: Sequence[int]) -> tuple[int, ...]:
    first = next((number for number, length in enumerate(shape) if length != 1), len(shape))
    return tuple(shape[first:])


def as_float(value: float) -> np.float32:
    """Return a parameter as Caffe holds it."""
    return np.float32(value)
