"""What operators are made of: layers that have a meaning in both dialects, and nothing added where there is nothing to do."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.caffe.targeting.building import MOST_AXES, Building, Node, Shape

IMAGE = 4
"""Axes of a blob of images."""
MOST_ADDED = 5
"""Axes of what OpenCV adds and multiplies."""


def reshape(to: Building, blob: str, shape: Sequence[int]) -> str:
    """Return the same numbers in another shape, told without the lengths that stay, so that these may be free."""
    before, after = to.shape(blob), tuple(int(each) for each in shape)
    if before == after:
        return blob
    most = min(len(before), len(after))
    start = next((at for at in range(most) if before[at] != after[at]), most)
    end = next((at for at in range(most - start) if before[-1 - at] != after[-1 - at]), most - start)
    # OpenCV replaces one axis at least
    if start + end == len(before):
        start, end = (start - 1, end) if start else (start, end - 1)
    inner = list(after[start : len(after) - end])
    if inner:
        inner[0] = -1
    elif start:  # nor may it replace some by none
        start, inner = start - 1, [-1]
    else:
        end, inner = end - 1, [-1]
    axes = len(before) - start - end
    return to.add("Reshape", blob, after, reshape={"shape": inner, "axis": start, "num_axes": axes})


def affine(to: Building, blob: str, scale: float = 1.0, shift: float = 0.0, power: float = 1.0) -> str:
    """Return (scale * x + shift)^power."""
    if (scale, shift, power) == (1, 0, 1):
        return blob
    fields = {"power": (power, 1), "scale": (scale, 1), "shift": (shift, 0)}
    told = {name: float(value) for name, (value, usual) in fields.items() if value != usual}
    return to.add("Power", blob, to.shape(blob), power=told)


def scale(to: Building, blob: str, factor: Array, offset: Array | None, axis: int) -> str:
    """Return the product with numbers that cover some axes from one on, plus others of this shape."""
    blobs = [factor] if offset is None else [factor, offset]
    told = {"axis": axis, "num_axes": factor.ndim, **({} if offset is None else {"bias_term": True})}
    return to.add("Scale", blob, to.shape(blob), *blobs, scale=told)


def unary(to: Building, kind: str, blob: str, **parameters: dict[str, float]) -> str:
    """Return a function of each number."""
    return to.add(kind, blob, to.shape(blob), **parameters)


def combine(to: Building, node: Node, operation: str, blobs: Sequence[str], coefficients: Sequence[float] = ()) -> str:
    """Return the sum, product or maximum of blobs of one shape."""
    shapes = {to.shape(each) for each in blobs}
    if len(shapes) != 1 or len(to.shape(blobs[0])) > MOST_ADDED:
        found = ", ".join(str(list(each)) for each in shapes)
        raise node.refuse(f"expected blobs of one shape and at most {MOST_ADDED} axes, found {found:.120}")
    told = {"operation": operation, **({"coeff": list(coefficients)} if coefficients else {})}
    return to.add("Eltwise", list(blobs), to.shape(blobs[0]), eltwise=told)


def weigh(to: Building, blob: str, factor: str, axis: int = 0) -> str:
    """Return the product with a blob that covers some axes from one on."""
    return to.add("Scale", [blob, factor], to.shape(blob), scale={"axis": axis})


def clip(to: Building, blob: str, low: float, high: float) -> str:
    """Return numbers within bounds, of which either may be infinite: a bound is a blob, because sums with it would round."""
    if (low, high) == (0, 6) and to.dialect == "opencv":
        return unary(to, "ReLU6", blob)
    if np.isfinite(low):
        blob = _at_least(to, blob, low)
    if np.isfinite(high):
        blob = affine(to, _at_least(to, affine(to, blob, -1), -high), -1)
    return blob


def _at_least(to: Building, blob: str, low: float) -> str:
    shape = to.shape(blob)
    if low == 0:
        return unary(to, "ReLU", blob)
    flat = reshape(to, blob, (*shape[: IMAGE - 1], math.prod(shape[IMAGE - 1 :]))) if len(shape) > MOST_ADDED else blob
    bound = to.add("Power", flat, to.shape(flat), power={"scale": 0.0, "shift": low})
    larger = to.add("Eltwise", [flat, bound], to.shape(flat), eltwise={"operation": "MAX"})
    return reshape(to, larger, shape)


def product(to: Building, blob: str, matrix: Array, bias: Array | None = None) -> str:
    """Return the last axis times a matrix [inputs, outputs]."""
    shape = to.shape(blob)
    told = {"num_output": matrix.shape[1], "axis": len(shape) - 1, **({} if bias is not None else {"bias_term": False})}
    blobs = [matrix.T] if bias is None else [matrix.T, bias]
    return to.add("InnerProduct", blob, (*shape[:-1], matrix.shape[1]), *blobs, inner_product=told)


def along(to: Building, blob: str, axis: int, matrix: Array) -> str:
    """Return an axis behind the first one times a matrix [outputs, inputs], as a convolution of one place where it is not last."""
    shape = to.shape(blob)
    target = (*shape[:axis], len(matrix), *shape[axis + 1 :])
    if axis == len(shape) - 1:
        return product(to, blob, matrix.T)
    before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    if axis != 1 or len(shape) != IMAGE:
        blob = reshape(to, blob, (before, shape[axis], after, 1))
    told = {"num_output": len(matrix), "kernel_size": [1], "bias_term": False}
    mixed = (to.shape(blob)[0], len(matrix), *to.shape(blob)[2:])
    blob = to.add("Convolution", blob, mixed, matrix.reshape(*matrix.shape, 1, 1), convolution=told)
    return reshape(to, blob, target)


def in_pairs(**values: tuple[Sequence[int], int]) -> dict[str, Any]:
    """Return fields that Caffe has for each of two axes, where they are other numbers than what it takes if nothing is said."""
    return {
        f"{name}_{side}": int(each)
        for name, (pair, usual) in values.items()
        if tuple(pair) != (usual, usual)
        for side, each in zip("hw", pair, strict=True)
    }


def as_image(to: Building, node: Node, blob: str) -> str:
    """Return a sequence of rows [n, c, l] as an image [n, c, l, 1]; images as they are."""
    shape = to.shape(blob)
    if not IMAGE - 1 <= len(shape) <= IMAGE:
        raise node.refuse(f"expected one or two spatial axes, found {list(shape)}")
    return reshape(to, blob, (*shape, 1)) if len(shape) < IMAGE else blob


def ones_like(to: Building, blob: str) -> str:
    """Return 1 for each number, whatever it is."""
    return affine(to, blob, power=0)


def check_axes(node: Node, shape: Shape) -> None:
    """Raise ModelportError for shapes that OpenCV takes for others."""
    if not 1 < len(shape) <= MOST_AXES:
        raise node.refuse(f"expected 2 to {MOST_AXES} axes, found {list(shape)}")
