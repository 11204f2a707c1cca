"""Resize: every separable way is a matrix for each axis; repeating each number is the transpose of a convolution."""

from collections.abc import Callable
from typing import Any

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.caffe.targeting import composing
from modelport_converter.frameworks.caffe.targeting.building import Building, Node, Write

Place = Callable[[Array, Any, int, int], Array]
PLACES: dict[str, Place] = {
    "align_corners": lambda x, _, n, m: x * (n - 1) / max(1, m - 1),
    "asymmetric": lambda x, s, _n, _m: x / s,
    "half_pixel": lambda x, s, _n, _m: (x + 0.5) / s - 0.5,
    "pytorch_half_pixel": lambda x, s, _n, m: (x + 0.5) / s - 0.5 if m > 1 else x * 0,
}
"""Where the numbers x of a longer axis lie on the shorter one, by scale and both lengths (ONNX, Resize)."""
NEAREST: dict[str, Callable[[Array], Array]] = {
    "ceil": np.ceil,
    "floor": np.floor,
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
}
MOST = 1 << 22
"""Numbers of a matrix."""


def _resize(to: Building, node: Node) -> str:
    mode, places = node.get("mode", "nearest"), node.get("coordinate_transformation_mode", "half_pixel")
    is_plain = not node.get("antialias", 0) and node.get("keep_aspect_ratio_policy", "stretch") == "stretch"
    if mode not in {"nearest", "linear"} or places not in PLACES or not is_plain or node.get("axes"):
        raise node.refuse(f"expected mode nearest or linear over all axes, found {mode}, {places}, or more options")
    blob, target = to.blob(node), to.wanted(node)
    shape, scales = to.shape(blob), to.constant(node.input(2))
    factors = [m / n for n, m in zip(shape, target, strict=True)]
    if scales is not None and scales.size and not node.input(3):
        factors = scales.tolist()
    if shape[:2] != target[:2]:
        raise node.refuse(f"expected the first two axes to stay, found {list(shape)} and {list(target)}")
    if shape == target:  # then ONNX Runtime does nothing, whatever the scales are
        return blob
    matrices = {
        axis: _matrix(node, shape[axis], target[axis], factors[axis])
        for axis in range(2, len(shape))
        if target[axis] != shape[axis] or factors[axis] != 1
    }
    times = [target[axis] // shape[axis] for axis in range(2, len(shape))]
    if len(shape) == composing.IMAGE and all(
        np.array_equal(matrix, np.repeat(np.eye(shape[axis]), times[axis - 2], 0)) for axis, matrix in matrices.items()
    ):
        return _repeated(to, blob, times[0], times[1])
    if to.dialect == "opencv" and len(shape) == composing.IMAGE and (mode, places) == ("linear", "align_corners"):
        return to.add("Interp", blob, target, interp={"height": target[2], "width": target[3]})
    for axis, matrix in matrices.items():
        blob = composing.along(to, blob, axis, matrix)
    return blob


def _repeated(to: Building, blob: str, height: int, width: int) -> str:
    """Return each number as often in both directions."""
    shape = to.shape(blob)
    channels = shape[1]
    told = {
        "num_output": channels, "group": channels, "kernel_h": height, "kernel_w": width,
        "stride_h": height, "stride_w": width, "bias_term": False,
    }  # fmt: skip
    target = (*shape[:2], shape[2] * height, shape[3] * width)
    return to.add("Deconvolution", blob, target, np.ones((channels, 1, height, width)), convolution=told)


def _matrix(node: Node, length: int, target: int, factor: float) -> Array:
    """Return what each number of the result is made of, [target, length]."""
    if length * target > MOST:
        raise node.refuse(f"expected lengths whose product is at most {MOST}, found {length} and {target}")
    place = PLACES[node.get("coordinate_transformation_mode", "half_pixel")]
    # as ONNX Runtime computes it: a place at a border between two numbers is rounded to one of them in float32
    at = place(np.arange(target, dtype=np.float32), np.float32(factor), length, target).astype(np.float32)
    matrix: Array = np.zeros((target, length))
    rows = np.arange(target)
    if node.get("mode", "nearest") == "nearest":
        chosen = NEAREST[node.get("nearest_mode", "round_prefer_floor")](at)
        matrix[rows, np.clip(chosen, 0, length - 1).astype(int)] = 1
        return matrix
    at = np.clip(at, 0, length - 1)
    low = np.floor(at).astype(int)
    share = at.astype(np.float64) - low
    matrix[rows, low] += 1 - share
    matrix[rows, np.minimum(low + 1, length - 1)] += share
    return matrix


OPERATORS: dict[str, Write] = {"Resize": _resize}
