"""Convolutions and products: layers of PyTorch where their weights are constant."""

from collections.abc import Callable, Sequence
from typing import Any

from modelport_converter.frameworks.pytorch.generating.nodes import Node, UnsupportedError

RANKS = (1, 2, 3)
"""Numbers of axes that PyTorch convolves over, and pools."""


def windows(node: Node, axes: int) -> tuple[list[int], list[int], list[int]]:
    """Return strides, dilations, and pads (all of the beginning, then all of the end). Raises UnsupportedError."""
    strides = node.get("strides") or [1] * axes
    dilations = node.get("dilations") or [1] * axes
    mode = node.get("auto_pad", "NOTSET")
    pads = node.get("pads") or [0] * (2 * axes)
    return list(strides), list(dilations), [0] * (2 * axes) if mode == "VALID" else list(pads)


def padding_of(pads: Sequence[int]) -> list[int]:
    """Return pads as torch.nn.functional.pad has them: the last axis first."""
    axes = len(pads) // 2
    return [int(pads[axis + side * axes]) for axis in reversed(range(axes)) for side in (0, 1)]


def is_same(node: Node) -> bool:
    """Whether pads follow from the lengths of the input."""
    return node.get("auto_pad", "NOTSET") in ("SAME_UPPER", "SAME_LOWER")


def pad_same(node: Node, text: str, kernel: Sequence[int], value: str = "0.0") -> str:
    """Return a tensor padded so that there is a window for each stride that begins in it."""
    strides, dilations, _ = windows(node, len(kernel))
    rank = node.known_rank()
    pads: list[str] = []
    for place in reversed(range(len(kernel))):
        stride, reach = strides[place], (kernel[place] - 1) * dilations[place] + 1
        length = f"{text}.shape[{rank - len(kernel) + place}]"
        shape = node.shape(0)
        known = shape[rank - len(kernel) + place] if shape else None
        if known is not None:
            total: int | str = max((-(-known // stride) - 1) * stride + reach - known, 0)
            small: int | str = int(total) // 2
            large: int | str = int(total) - int(small)
        elif stride == 1:
            total = reach - 1
            small, large = total // 2, total - total // 2
        else:
            name = node.code.assign("missing", f"max((({length} - 1) // {stride}) * {stride} + {reach} - {length}, 0)")
            small, large = f"{name} // 2", f"{name} - {name} // 2"
        pads += map(str, (small, large) if node.get("auto_pad") == "SAME_UPPER" else (large, small))
    return f"F.pad({text}, [{', '.join(pads)}], value={value})"


def convolve(node: Node) -> str:
    """Write Conv."""
    weight = node.constant(1)
    kernel = [int(each) for each in (weight.shape[2:] if weight is not None else node.get("kernel_shape") or ())]
    axes = len(kernel)
    if axes not in RANKS:
        raise UnsupportedError(f"over {axes} axes")
    strides, dilations, pads = windows(node, axes)
    group, text = node.get("group", 1), node.tensor(0)
    if is_same(node):
        text, pads = node.code.assign("padded", pad_same(node, text, kernel)), [0] * (2 * axes)
    elif pads[:axes] != pads[axes:]:
        text, pads = node.code.assign("padded", f"F.pad({text}, {padding_of(pads)})"), [0] * (2 * axes)
    settings = _settings(stride=(strides, 1), padding=(pads[:axes], 0), dilation=(dilations, 1), groups=([group], 1))
    bias = node.constant(2)
    if weight is None or (node.has(2) and bias is None):
        given = [text, node.tensor(1), node.tensor(2) if node.has(2) else "None"]
        return f"F.conv{axes}d({', '.join([*given, *settings])})"
    sizes = [weight.shape[1] * group, weight.shape[0], _short(kernel)]
    made = f"nn.Conv{axes}d({', '.join([*map(str, sizes), *settings, *_no_bias(bias)])})"
    layer = node.code.module.layer(_layer_name(node, 1), made, _weights(weight, bias), _key(node, made, 1, 2))
    return f"{layer}({text})"


def convolve_transposed(node: Node) -> str:
    """Write ConvTranspose."""
    weight = node.constant(1)
    if weight is None or (node.has(2) and node.constant(2) is None):
        raise UnsupportedError("with weights that are no constants")
    kernel = [int(each) for each in weight.shape[2:]]
    axes, group, bias = len(kernel), node.get("group", 1), node.constant(2)
    if axes not in RANKS:
        raise UnsupportedError(f"over {axes} axes")
    strides, dilations, pads = windows(node, axes)
    extra = list(node.get("output_padding") or [0] * axes)
    shape = node.get("output_shape")
    if shape or is_same(node):
        lengths = node.shape(0) or []
        if not shape:
            shape = [(length or 0) * stride for length, stride in zip(lengths[2:], strides, strict=True)]
        if None in lengths[2:]:
            raise UnsupportedError("with lengths that follow from the input's, which are free")
        total = [
            (int(length or 0) - 1) * stride + (size - 1) * dilation + 1 + more - wanted
            for length, stride, size, dilation, more, wanted in zip(
                lengths[2:], strides, kernel, dilations, extra, shape[-axes:], strict=True
            )
        ]
        if is_same(node):  # a stride beyond the kernel leaves nothing to take away
            total = [max(each, 0) for each in total]
        lower = [each // 2 if node.get("auto_pad") == "SAME_UPPER" else each - each // 2 for each in total]
        pads = [*lower, *(each - low for each, low in zip(total, lower, strict=True))]
    crop = [0] * (2 * axes)
    if (
        pads[:axes] != pads[axes:]
        or min(pads) < 0
        or any(a >= max(b, c) for a, b, c in zip(extra, strides, dilations, strict=True))
    ):
        crop = [-each for each in pads]
        crop[axes:] = [each + more for each, more in zip(crop[axes:], extra, strict=True)]
        pads, extra = [0] * (2 * axes), [0] * axes
    settings = _settings(
        stride=(strides, 1),
        padding=(pads[:axes], 0),
        output_padding=(extra, 0),
        groups=([group], 1),
        dilation=(dilations, 1),
    )
    sizes = [weight.shape[0], weight.shape[1] * group, _short(kernel)]
    made = f"nn.ConvTranspose{axes}d({', '.join([*map(str, sizes), *settings, *_no_bias(bias)])})"
    layer = node.code.module.layer(_layer_name(node, 1), made, _weights(weight, bias), _key(node, made, 1, 2))
    text = f"{layer}({node.tensor(0)})"
    if any(crop):
        if bias is not None and max(crop) > 0:
            raise UnsupportedError("with output_padding beyond its stride")
        return f"F.pad({text}, {padding_of(crop)})"
    return text


def multiply(node: Node) -> str:
    """Write MatMul."""
    weight = node.constant(1)
    if weight is not None and weight.ndim == 2 and weight.dtype.kind == "f":  # noqa: PLR2004
        return linear(node, weight.T, None, node.tensor(0))
    return f"torch.matmul({node.tensor(0)}, {node.tensor(1)})"


def linear(node: Node, weight: Any, bias: Any, text: str) -> str:
    """Return the call of a layer with weights [outputs, inputs]."""
    made = f"nn.Linear({', '.join([str(weight.shape[1]), str(weight.shape[0]), *_no_bias(bias)])})"
    key = (made, weight.tobytes(), None if bias is None else bias.tobytes())
    layer = node.code.module.layer(_layer_name(node, 1), made, _weights(weight, bias), key)
    return f"{layer}({text})"


def affine(node: Node) -> str:
    """Write Gemm."""
    text = f"{node.tensor(0)}.t()" if node.get("transA", 0) else node.tensor(0)
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    weight, bias = node.constant(1), node.constant(2)
    is_plain = weight is not None and weight.dtype.kind == "f" and (bias is not None or not node.has(2))
    if is_plain and (alpha, beta) == (1.0, 1.0):
        matrix = weight if node.get("transB", 0) else weight.T  # type: ignore[union-attr]
        row = None if bias is None else bias.reshape(-1)
        if bias is None or (bias.size == matrix.shape[0] and bias.shape[-1:] == (matrix.shape[0],)):  # type: ignore[union-attr]
            return linear(node, matrix, row, text)
    other = f"{node.tensor(1)}.t()" if node.get("transB", 0) else node.tensor(1)
    product = f"torch.matmul({text}, {other})"
    product = product if alpha == 1.0 else f"{alpha} * {product}"
    if not node.has(2):
        return product
    return f"{product} + {node.tensor(2)}" if beta == 1.0 else f"{product} + {beta} * {node.tensor(2)}"


def einsum(node: Node) -> str:
    """Write Einsum."""
    given = ", ".join(node.tensor(index) for index in range(len(node.inputs)))
    return f'torch.einsum("{node.get("equation").replace(" ", "")}", [{given}])'


def _settings(**values: tuple[list[int], int]) -> list[str]:
    return [f"{name}={_short(value)}" for name, (value, usual) in values.items() if set(value) != {usual}]


def _short(values: Sequence[int]) -> str:
    return str(values[0]) if len(set(values)) == 1 else str(tuple(values))


def _no_bias(bias: Any) -> list[str]:
    return ["bias=False"] if bias is None else []


def _weights(weight: Any, bias: Any) -> dict[str, Any]:
    return {"weight": weight} if bias is None else {"weight": weight, "bias": bias}


def _key(node: Node, made: str, *indices: int) -> tuple[object, ...]:
    arrays = [node.constant(index) for index in indices]
    return made, *(None if each is None else each.tobytes() for each in arrays)


def _layer_name(node: Node, index: int) -> str:
    """Return the name of the weights' layer, where they were named by one, else the node's."""
    name = node.proto.input[index]
    return name.rpartition(".")[0] if name.endswith(".weight") else node.proto.name or f"{node.proto.op_type}".lower()


layer_name = _layer_name
OPERATORS: dict[str, Callable[[Node], object]] = {
    "Conv": convolve,
    "ConvTranspose": convolve_transposed,
    "MatMul": multiply,
    "Gemm": affine,
    "Einsum": einsum,
}
