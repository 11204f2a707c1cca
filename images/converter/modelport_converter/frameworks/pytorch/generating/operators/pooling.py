"""Pooling."""

from collections.abc import Callable

from modelport_converter.frameworks.pytorch.generating.nodes import Node, UnsupportedError
from modelport_converter.frameworks.pytorch.generating.operators.layers import (
    RANKS,
    is_same,
    pad_same,
    padding_of,
    windows,
)
from modelport_converter.frameworks.pytorch.generating.support.padding import average_pool
from modelport_converter.frameworks.pytorch.generating.values import is_float


def _axes_of(kernel: list[int]) -> int:
    if len(kernel) not in RANKS:
        raise UnsupportedError(f"over {len(kernel)} axes")
    return len(kernel)


def _maximum(node: Node) -> str:
    kernel = node.get("kernel_shape")
    axes = _axes_of(kernel)
    if node.wants(1):
        raise UnsupportedError("whose indices are an output")
    if not is_float(node.dtype(0)):
        raise UnsupportedError("of integers")
    strides, dilations, pads = windows(node, axes)
    ceil = bool(node.get("ceil_mode", 0))
    text = node.tensor(0)
    if is_same(node):
        text, pads, ceil = (
            node.code.assign("padded", pad_same(node, text, kernel, 'float("-inf")')),
            [0] * (2 * axes),
            False,
        )
    elif pads[:axes] != pads[axes:] or any(2 * pad > size for pad, size in zip(pads, kernel * 2, strict=True)):
        if ceil:
            raise UnsupportedError("with ceil_mode and pads that are not the same on both sides")
        text = node.code.assign("padded", f'F.pad({text}, {padding_of(pads)}, value=float("-inf"))')
        pads = [0] * (2 * axes)
    given = [text, str(kernel), str(strides), str(pads[:axes]), str(dilations), str(ceil)]
    return f"F.max_pool{axes}d({', '.join(given)})"


def _average(node: Node) -> str:
    kernel = node.get("kernel_shape")
    axes = _axes_of(kernel)
    strides, dilations, pads = windows(node, axes)
    ceil, counts = bool(node.get("ceil_mode", 0)), bool(node.get("count_include_pad", 0))
    text = node.tensor(0)
    is_plain = set(dilations) == {1} and pads[:axes] == pads[axes:] and not is_same(node)
    if is_plain and all(2 * pad <= size for pad, size in zip(pads, kernel * 2, strict=True)):
        given = [text, str(kernel), str(strides), str(pads[:axes]), str(ceil), str(counts)]
        return f"F.avg_pool{axes}d({', '.join(given)})"
    if ceil:
        raise UnsupportedError("with ceil_mode and pads that are not the same on both sides, or dilations")
    if is_same(node):
        shape = node.shape(0)
        if counts or not shape or None in shape[2:]:
            raise UnsupportedError("with auto_pad over free lengths")
        missing = [
            max((-(-int(length or 0) // stride) - 1) * stride + (size - 1) * dilation + 1 - int(length or 0), 0)
            for length, stride, size, dilation in zip(shape[2:], strides, kernel, dilations, strict=True)
        ]
        lower = [each // 2 if node.get("auto_pad") == "SAME_UPPER" else each - each // 2 for each in missing]
        pads = [*lower, *(each - low for each, low in zip(missing, lower, strict=True))]
    if counts:
        if set(dilations) != {1}:
            raise UnsupportedError("with dilations that counts its padding")
        padded = node.code.assign("padded", f"F.pad({text}, {padding_of(pads)})")
        return f"F.avg_pool{axes}d({padded}, {kernel}, {strides})"
    return node.code.call(average_pool, text, *map(str, (kernel, strides, padding_of(pads), dilations)))


def _global(function: str) -> Callable[[Node], str]:
    return lambda node: f"{function}({node.tensor(0)}, {list(range(2, node.known_rank()))}, keepdim=True)"


def _power(node: Node) -> str:
    kernel, order = node.get("kernel_shape"), node.get("p", 2)
    axes = _axes_of(kernel)
    strides, dilations, pads = windows(node, axes)
    if set(dilations) != {1} or is_same(node) or node.get("ceil_mode", 0):
        raise UnsupportedError("with dilations, auto_pad or ceil_mode")
    text = f"F.pad({node.tensor(0)}, {padding_of(pads)}).abs() ** {order}"
    size = 1
    for each in kernel:
        size *= each
    return f"({size} * F.avg_pool{axes}d({text}, {kernel}, {strides})) ** {1 / order!r}"


OPERATORS: dict[str, Callable[[Node], object]] = {
    "MaxPool": _maximum,
    "AveragePool": _average,
    "LpPool": _power,
    "GlobalAveragePool": _global("torch.mean"),
    "GlobalMaxPool": _global("torch.amax"),
}
