"""Resizing: PyTorch's interpolation where it means the same, else axis by axis as ONNX defines it."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from modelport_converter.frameworks.pytorch.generating.nodes import Node, UnsupportedError
from modelport_converter.frameworks.pytorch.generating.rounding import find_factor, has_same_places
from modelport_converter.frameworks.pytorch.generating.support import lengths, resizing
from modelport_converter.frameworks.pytorch.generating.values import Item, literal, show

_MODES = {3: "linear", 4: "bilinear", 5: "trilinear"}
_ONCE_AND_A_HALF = 1.5
_PLANE = 4
"""Axes of what PyTorch interpolates by cubes."""


class _Resize(NamedTuple):
    """What a node says of each axis that it resizes."""

    mode: str
    transform: str
    rounding: str
    scales: dict[int, Item]
    sizes: dict[int, Item]


def _resize(node: Node) -> str:
    if node.get("antialias", 0):
        raise UnsupportedError("with antialias")
    if node.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise UnsupportedError("that keeps the ratio of lengths")
    is_old = node.version < 11  # noqa: PLR2004  # scales alone, as asymmetric coordinates have them
    transform = "asymmetric" if is_old else node.get("coordinate_transformation_mode", "half_pixel")
    if transform == "tf_crop_and_resize":
        raise UnsupportedError("of a region")
    rank = node.known_rank()
    axes = [axis % rank for axis in node.get("axes") or range(rank)]
    given = _given(node, 1 if is_old else 2)
    sizes = _given(node, 3) if not is_old and not given else {}
    rounding = "floor" if is_old else node.get("nearest_mode", "round_prefer_floor")
    if is_old and any(isinstance(item, str) or item < 1 for item in given.values()):
        # ONNX Runtime rounds up along what becomes shorter, and down along the others
        if any(isinstance(item, str) or item > 1 for item in given.values()):
            raise UnsupportedError(f"of operator set {node.version} to shorter and longer lengths at once")
        rounding = "ceil"
    return _write(
        node,
        _Resize(
            node.get("mode", "nearest"),
            transform,
            rounding,
            {axes[place]: item for place, item in given.items() if item != 1},
            {axes[place]: item for place, item in sizes.items() if item != _known(node, axes[place])},
        ),
    )


def _upsample(node: Node) -> str:
    scales = node.get("scales") or list(node.items(1))
    resized = {axis: item for axis, item in enumerate(scales) if item != 1}
    return _write(node, _Resize(node.get("mode", "nearest"), "asymmetric", "floor", resized, {}))


def _given(node: Node, index: int) -> dict[int, Item]:
    if not node.has(index):
        return {}
    constant = node.constant(index)
    if constant is not None:
        return {
            axis: float(str(each)) if constant.dtype.kind == "f" else int(each) for axis, each in enumerate(constant)
        }
    return dict(enumerate(node.items(index)))


def _known(node: Node, axis: int) -> int | None:
    shape = node.shape(0)
    return None if shape is None else shape[axis]


def _write(node: Node, how: _Resize) -> str:
    text, rank = node.tensor(0), node.known_rank()
    if not how.scales and not how.sizes:
        return text
    if how.scales and all(_known(node, axis) == _wanted(node, axis, scale) for axis, scale in how.scales.items()):
        return text  # as ONNX Runtime answers where no length changes, whatever the scales
    mode = _interpolation(node, how)
    if mode:
        spatial = range(2, rank)
        align = "" if mode == "nearest" else f", align_corners={how.transform == 'align_corners'}"
        if how.sizes:
            size = ", ".join(show(how.sizes.get(axis, f"{text}.shape[{axis}]")) for axis in spatial)
            return f'F.interpolate({text}, size=[{size}], mode="{mode}"{align})'
        factors = ", ".join(show(_factor(node, axis, how.scales.get(axis, 1.0)) or 0.0) for axis in spatial)
        return f'F.interpolate({text}, scale_factor=[{factors}], mode="{mode}"{align}, recompute_scale_factor=False)'
    if how.scales and all(_stays(node, axis, scale) for axis, scale in how.scales.items()):
        raise UnsupportedError("by scales that leave short lengths, which are free, as they are")
    for axis in how.scales or how.sizes:
        length = f"{text}.shape[{axis}]"
        wanted = _longer(node, length, axis, how.scales[axis]) if how.scales else show(how.sizes[axis])
        scale = show(how.scales[axis]) if how.scales else f"{wanted} / {length}"
        text = node.code.assign("resized", _along(node, how, (text, str(axis), wanted, scale)))
    return text


def _interpolation(node: Node, how: _Resize) -> str:
    """Return PyTorch's mode that does the same; none if it has none."""
    axes = how.scales or how.sizes
    rank = node.known_rank()
    if not all(2 <= axis < rank for axis in axes) or rank not in _MODES:  # noqa: PLR2004
        return ""
    # PyTorch's places are those of no scale along an axis whose length stays
    is_mixed = len(how.scales) > 1 and any(_stays(node, axis, scale) for axis, scale in how.scales.items())
    if is_mixed or not all(_factor(node, axis, scale) for axis, scale in how.scales.items()):
        return ""
    if how.mode == "nearest":
        is_same = how.transform == "asymmetric" and how.rounding == "floor"
        return "nearest" if is_same and all(_is_nearest(node, axis, how) for axis in axes) else ""
    # PyTorch's half pixels have no exception for a length of 1
    is_half = how.transform == "half_pixel" or (how.transform == "pytorch_half_pixel" and _is_long(axes, how))
    if not (is_half or how.transform == "align_corners") or (how.transform == "align_corners" and not how.sizes):
        return ""
    if how.mode == "linear":
        return _MODES[rank]
    is_plain = node.get("cubic_coeff_a", -0.75) == -0.75 and not node.get("exclude_outside", 0)  # noqa: PLR2004
    return "bicubic" if rank == _PLANE and is_plain else ""


def _factor(node: Node, axis: int, scale: Item) -> Item | None:
    """Return what to multiply a length with for ONNX Runtime's new length, which is computed in float32; None if nothing."""
    if isinstance(scale, str):
        return scale
    return find_factor(scale, np.multiply, np.floor, _known(node, axis))


def _wanted(node: Node, axis: int, scale: Item) -> int:
    """Return the new length where the old one is known; -1 else."""
    length = _known(node, axis)
    return -1 if length is None or isinstance(scale, str) else int(np.float32(length) * np.float32(scale))


def _stays(node: Node, axis: int, scale: Item) -> bool:
    """Whether a length of 2 or more stays as it is, or may; where all do, ONNX Runtime's answer is a copy."""
    is_small = not isinstance(scale, str) and 1 < scale < _ONCE_AND_A_HALF
    return is_small and _wanted(node, axis, scale) in (-1, _known(node, axis))


def _longer(node: Node, length: str, axis: int, scale: Item) -> str:
    """Return the new length."""
    factor = _factor(node, axis, scale)
    if factor is not None and not isinstance(scale, str):
        return f"math.floor({length} * {show(factor)})"
    exact = scale if isinstance(scale, str) else repr(float(np.float32(scale)))
    return f"math.floor({node.code.call(lengths.round_number, f'{length} * {exact}')})"


def _is_nearest(node: Node, axis: int, how: _Resize) -> bool:
    length = _known(node, axis)
    if axis in how.scales:
        scale = how.scales[axis]
        factor = _factor(node, axis, scale)
        if isinstance(scale, str) or factor is None or isinstance(factor, str):
            return False
        return has_same_places(scale, factor, length and math.ceil(length * scale))
    wanted = how.sizes[axis]
    if length is None or isinstance(wanted, str):
        return False
    return has_same_places(np.float32(wanted) / np.float32(length), wanted / length, int(wanted))


def _is_long(axes: dict[int, Item], how: _Resize) -> bool:
    return all(not isinstance(item, str) and item >= 2 for item in axes.values()) or how.transform == "half_pixel"  # noqa: PLR2004


def _along(node: Node, how: _Resize, given: tuple[str, str, str, str]) -> str:
    transform = f'"{how.transform}"'
    if how.mode == "nearest":
        if how.transform == "half_pixel_symmetric" and how.rounding in ("floor", "ceil"):
            # a whole place is met, or missed, by the last bit of float32 alone
            raise UnsupportedError(f"to the nearest places by {how.rounding} of {how.transform}")
        return node.code.call(resizing.resize_nearest, *given, transform, f'"{how.rounding}"')
    if how.mode == "linear":
        return node.code.call(resizing.resize_linear, *given, transform)
    coefficient = literal(node.get("cubic_coeff_a", -0.75))
    exclude = str(bool(node.get("exclude_outside", 0)))
    return node.code.call(resizing.resize_cubic, *given, transform, coefficient, exclude)


def _grid_sample(node: Node) -> str:
    mode = {
        "linear": "bilinear",
        "bilinear": "bilinear",
        "nearest": "nearest",
        "cubic": "bicubic",
        "bicubic": "bicubic",
    }
    settings = f'mode="{mode[node.get("mode", "linear")]}", padding_mode="{node.get("padding_mode", "zeros")}"'
    align = bool(node.get("align_corners", 0))
    return f"F.grid_sample({node.tensor(0)}, {node.tensor(1)}, {settings}, align_corners={align})"


OPERATORS: dict[str, Callable[[Node], object]] = {
    "Resize": _resize,
    "Upsample": _upsample,
    "GridSample": _grid_sample,
}
