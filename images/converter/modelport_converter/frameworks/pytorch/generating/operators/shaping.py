"""Shapes, and operators that arrange the elements of tensors anew."""

from collections.abc import Callable

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from modelport.verification.arrays import Array
from modelport_converter.frameworks.pytorch.generating.nodes import Node, UnsupportedError, of_items
from modelport_converter.frameworks.pytorch.generating.support import lengths, padding
from modelport_converter.frameworks.pytorch.generating.values import DTYPES, Item, Value, literal, show, show_list


def _shape(node: Node) -> str | Value:
    given = node.value(0)
    if given.items is not None:
        lengths = np.array([len(given.items)] if given.axes else [], np.int64)
        return Value(array=lengths[node.get("start", 0) : node.get("end")])
    shape, text, part = node.shape(0), node.tensor(0), slice(node.get("start", 0), node.get("end"))
    if shape is None:
        if part != slice(0, None):
            raise UnsupportedError("in part, of a tensor whose rank is not known")
        return f"torch.tensor({text}.shape)"
    places = range(len(shape))[part]
    return of_items([_length_of(shape[place], text, place) for place in places], axes=1)


def _length_of(known: int | None, text: str, axis: int) -> Item:
    return f"{text}.shape[{axis}]" if known is None else known


def _size(node: Node) -> Value:
    return of_items([f"{node.tensor(0)}.numel()"], axes=0)


def _reshape(node: Node) -> str | Value:
    stated = node.get("shape")  # an attribute once
    numbers = tuple(stated) if stated is not None else node.value(1).numbers
    own = node.value(0)
    if own.items is not None and numbers is not None and numbers in ((-1,), (1,), (), (len(own.items),)):
        return of_items(own.items, axes=len(numbers), dtype=own.dtype)
    text = node.tensor(0)
    if node.get("allowzero", 0):
        return f"{text}.reshape({node.lengths(1)})"
    if numbers is None:
        return node.code.call(lengths.reshape_zeros, text, node.lengths(1))
    found = [f"{text}.shape[{axis}]" if item == 0 else item for axis, item in enumerate(numbers)]
    return f"{text}.reshape({show_list(tuple(found))})"


def _flatten(node: Node) -> str:
    axis, text = node.get("axis", 1), node.tensor(0)
    if axis == 1:
        return f"{text}.flatten(1)" if (node.rank(0) or 0) > 1 else f"{text}.reshape([{text}.shape[0], -1])"
    rank = node.known_rank()
    axis += rank if axis < 0 else 0
    before = " * ".join(f"{text}.shape[{each}]" for each in range(axis)) or "1"
    return f"{text}.reshape([{before}, -1])"


def _transpose(node: Node) -> str:
    order = node.get("perm") or list(reversed(range(node.known_rank())))
    return f"{node.tensor(0)}.permute({list(order)})"


def _squeeze(node: Node) -> str | Value:
    own, axes = node.value(0), node.axes("axes", 1)
    if own.items is not None and len(own.items) == 1:
        return of_items(own.items, axes=0, dtype=own.dtype)
    if axes is None:
        shape = node.shape(0)
        if shape is None or None in shape:
            raise UnsupportedError("without axes, of lengths that are free")
        axes = [axis for axis, length in enumerate(shape) if length == 1]
    return f"{node.tensor(0)}.squeeze({axes})" if axes else node.tensor(0)


def _unsqueeze(node: Node) -> str | Value:
    own, axes = node.value(0), node.axes("axes", 1) or []
    if own.items is not None and own.axes == 0 and axes in ([0], [-1]):
        return of_items(own.items, axes=1, dtype=own.dtype)
    text = node.tensor(0)
    if any(axis < 0 for axis in axes) and len(axes) > 1:
        rank = node.known_rank() + len(axes)
        axes = [axis % rank for axis in axes]
    for axis in sorted(axes):
        text += f".unsqueeze({axis})"
    return text


def _concat(node: Node) -> str | Value:
    count = range(len(node.inputs))
    values = [node.value(index) for index in count]
    if any(each.items is not None for each in values) and all((node.rank(index) or 0) == 1 for index in count):
        dtype = next(each.dtype for each in values if each.items is not None)
        try:
            return of_items([item for index in count for item in node.items(index)], axes=1, dtype=dtype)
        except UnsupportedError:
            pass
    return f"torch.cat([{', '.join(node.tensor(index) for index in count)}], {node.get('axis', 0)})"


def _split(node: Node) -> list[str]:
    axis, stated, count = node.get("axis", 0), node.get("split"), len(node.proto.output)
    names = [node.code.fresh(name or "unused") for name in node.proto.output]
    text = node.tensor(0)
    if stated is None and not node.has(1):
        shape = node.shape(0)
        known = None if shape is None else shape[axis]
        part: str | list[int] = f"-(-{text}.shape[{axis}] // {count})"
        if known is not None:  # the last ones may be shorter, or empty
            each = -(-known // count)
            part = [max(min(each, known - each * place), 0) for place in range(count)]
        pieces = f"{text}.split({part}, {axis})"
    else:
        pieces = f"{text}.split({list(stated) if stated is not None else node.lengths(1)}, {axis})"
    held = node.code.assign("pieces", pieces)
    for index, name in enumerate(names):
        node.code.line(f"{name} = {held}[{index}]")
    return names


def _expand(node: Node) -> str:
    numbers, text = node.value(1).numbers, node.tensor(0)
    rank = node.rank(0)
    if numbers is not None and rank is not None and len(numbers) >= rank:
        shape = node.shape(0) or []
        own = [1] * (len(numbers) - rank) + shape
        # what is 1 on either side takes the other's length
        if all(length == 1 or wanted == 1 for length, wanted in zip(own, numbers, strict=True)):
            found = tuple(wanted if length == 1 else -1 for length, wanted in zip(own, numbers, strict=True))
            return f"{text}.expand({show_list(found)})"
    return node.code.call(lengths.expand_to, text, node.lengths(1))


def _tile(node: Node) -> str:
    return f"{node.tensor(0)}.repeat({node.lengths(1)})"


def _pad(node: Node) -> str:
    pads = tuple(node.get("pads")) if node.get("pads") is not None else node.items(1)
    rank, mode, text = node.known_rank(), node.get("mode", "constant"), node.tensor(0)
    axes = [int(each) % rank for each in node.array(3).tolist()] if node.has(3) else list(range(rank))
    sides: dict[int, tuple[Item, Item]] = {
        axis: (pads[place], pads[place + len(axes)]) for place, axis in enumerate(axes)
    }
    if mode == "constant":
        given = [side for axis in reversed(range(min(axes), rank)) for side in sides.get(axis, (0, 0))]
        return f"F.pad({text}, {show_list(tuple(given))}, value={_pad_value(node)})"
    if mode == "wrap" and any(not isinstance(pad, str) and pad < 0 for pad in pads):
        raise UnsupportedError("that takes away on one side and wraps around on another")
    for axis, (before, after) in sides.items():
        if (before, after) != (0, 0):
            text = node.code.call(padding.pad_axis, text, str(axis), show(before), show(after), f'"{mode}"')
    return text


def _pad_value(node: Node) -> str:
    if node.has(2):
        constant = node.constant(2)
        if constant is None:
            return f"float({node.tensor(2)})"
        return _any_literal(constant.astype(float))
    return literal(float(node.get("value", 0)))


def _any_literal(array: Array) -> str:
    """Return a single number, which may be infinite or none."""
    number = array.reshape(-1)[0]
    return literal(number) if np.isfinite(number) else f'float("{float(number)}")'


def _depth_to_space(node: Node) -> str:
    size, text = node.get("blocksize"), node.tensor(0)
    if node.get("mode", "DCR") == "CRD":
        return f"F.pixel_shuffle({text}, {size})"
    n, c, h, w = (f"{text}.shape[{axis}]" for axis in range(4))
    parts = f"{text}.reshape([{n}, {size}, {size}, {c} // {size * size}, {h}, {w}])"
    return f"{parts}.permute([0, 3, 4, 1, 5, 2]).reshape([{n}, {c} // {size * size}, {h} * {size}, {w} * {size}])"


def _space_to_depth(node: Node) -> str:
    size, text = node.get("blocksize"), node.tensor(0)
    if node.get("mode", "DCR") == "CRD":
        return f"F.pixel_unshuffle({text}, {size})"
    n, c, h, w = (f"{text}.shape[{axis}]" for axis in range(4))
    parts = f"{text}.reshape([{n}, {c}, {h} // {size}, {size}, {w} // {size}, {size}])"
    return f"{parts}.permute([0, 3, 5, 1, 2, 4]).reshape([{n}, {c} * {size * size}, {h} // {size}, {w} // {size}])"


def _constant_of_shape(node: Node) -> str | Value:
    value = node.get("value")
    array = np.zeros(1, np.float32) if value is None else numpy_helper.to_array(value)
    dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
    numbers = node.value(0).numbers
    if numbers is not None and len(numbers) == 1 and isinstance(numbers[0], int) and numbers[0] <= 64:  # noqa: PLR2004
        return Value(array=np.full(numbers[0], array.reshape(-1)[0]))
    return f"torch.full({node.lengths(0)}, {_any_literal(array)}, dtype={DTYPES[dtype]})"


def _range(node: Node) -> str:
    dtype = DTYPES[node.dtype(0) or TensorProto.INT64]
    given = [node.value(index).numbers for index in range(3)]
    texts = [
        show(node.code.exact(each[0])) if each else f"{node.tensor(index)}.item()" for index, each in enumerate(given)
    ]
    return f"torch.arange({', '.join(texts)}, dtype={dtype})"


def _eye_like(node: Node) -> str:
    text, dtype = node.tensor(0), node.get("dtype", node.dtype(0))
    rows, columns = f"torch.arange({text}.shape[0])", f"torch.arange({text}.shape[1])"
    return f"({rows}.unsqueeze(1) + {node.get('k', 0)} == {columns}).to({DTYPES[dtype]})"


def _triangle(node: Node) -> str:
    function = "triu" if node.get("upper", 1) else "tril"
    diagonal = node.length(1) if node.has(1) else "0"
    return f"torch.{function}({node.tensor(0)}, {diagonal})"


OPERATORS: dict[str, Callable[[Node], object]] = {
    "Shape": _shape,
    "Size": _size,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Concat": _concat,
    "Split": _split,
    "Expand": _expand,
    "Tile": _tile,
    "Pad": _pad,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "ConstantOfShape": _constant_of_shape,
    "Range": _range,
    "EyeLike": _eye_like,
    "Trilu": _triangle,
}
