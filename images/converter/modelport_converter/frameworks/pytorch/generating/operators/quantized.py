"""Quantized numbers: sums of products of integers are exact in float64, which PyTorch convolves, unlike integers."""

from collections.abc import Callable

from onnx import TensorProto

from modelport_converter.frameworks.pytorch.generating.nodes import Node, UnsupportedError
from modelport_converter.frameworks.pytorch.generating.operators.layers import is_same, padding_of, windows
from modelport_converter.frameworks.pytorch.generating.support import quantized

_BYTES = (TensorProto.UINT8, TensorProto.INT8, TensorProto.INT16, TensorProto.INT32)


def _check(node: Node, *indices: int) -> None:
    if node.get("block_size", 0):
        raise UnsupportedError("with blocks")
    if any(node.has(index) and node.dtype(index) not in _BYTES for index in indices):
        raise UnsupportedError("of a type that is no integer of 8, 16 or 32 bits")


def _dequantize(node: Node) -> str:
    _check(node, 0)
    zero = node.tensor(2) if node.has(2) else "None"
    return node.code.call(quantized.dequantize, node.tensor(0), node.tensor(1), zero, str(node.get("axis", 1)))


def _quantize(node: Node) -> str:
    _check(node, 2)
    dtype = node.get("output_dtype", 0) or TensorProto.UINT8
    if not node.has(2) and dtype not in (TensorProto.UINT8, TensorProto.INT8):
        raise UnsupportedError("to a type that is no integer of 8 bits")
    usual = f"torch.zeros([], dtype=torch.{'uint8' if dtype == TensorProto.UINT8 else 'int8'})"
    zero = node.tensor(2) if node.has(2) else usual
    return node.code.call(quantized.quantize, node.tensor(0), node.tensor(1), zero, str(node.get("axis", 1)))


def _quantize_dynamically(node: Node) -> list[str]:
    names = [node.code.fresh(name or "unused") for name in node.proto.output]
    node.code.line(f"{', '.join(names)} = {node.code.call(quantized.quantize_dynamically, node.tensor(0))}")
    return names


def _centred(node: Node, index: int, zero: int, axis: int) -> str:
    place = node.tensor(zero) if node.has(zero) else "None"
    return node.code.call(quantized.centred, node.tensor(index), place, str(axis))


def _multiply(node: Node) -> str:
    return f"torch.matmul({_centred(node, 0, 2, -2)}, {_centred(node, 1, 3, -1)}).to(torch.int32)"


def _convolution(node: Node, given: str, weight: str) -> str:
    shape = node.shape(1 if node.proto.op_type == "ConvInteger" else 3)
    if shape is None or is_same(node):
        raise UnsupportedError("whose pads or weights are not known")
    strides, dilations, pads = windows(node, len(shape) - 2)
    padded = f"F.pad({given}, {padding_of(pads)})" if any(pads) else given
    settings = f"stride={strides}, dilation={dilations}, groups={node.get('group', 1)}"
    return f"F.conv{len(shape) - 2}d({padded}, {weight}, {settings})"


def _convolve(node: Node) -> str:
    return f"{_convolution(node, _centred(node, 0, 2, 1), _centred(node, 1, 3, 0))}.to(torch.int32)"


def _multiply_requantized(node: Node) -> str:
    _check(node, 0, 3, 7)
    total = f"torch.matmul({_centred(node, 0, 2, -2)}, {_centred(node, 3, 5, -1)})"
    return _requantized(node, total, node.tensor(4))


def _convolve_requantized(node: Node) -> str:
    _check(node, 0, 3, 7)
    axes = len(node.shape(3) or ()) - 2
    total = _convolution(node, _centred(node, 0, 2, 1), _centred(node, 3, 5, 0))
    if node.has(8):
        total = f"{total} + {node.tensor(8)}.reshape([-1{', 1' * axes}])"
    scale = node.tensor(4)
    scale = f"{scale}.reshape([-1{', 1' * axes}])" if (node.shape(4) or []) not in ([], [1]) else scale
    return _requantized(node, total, scale)


def _requantized(node: Node, total: str, scale: str) -> str:
    if (node.shape(1) or []) not in ([], [1]):
        raise UnsupportedError("with a scale for each row")
    factor = f"{node.tensor(1)} * {scale} / {node.tensor(6)}"
    return node.code.call(quantized.requantize, total, factor, node.tensor(7))


OPERATORS: dict[str, Callable[[Node], object]] = {
    "DequantizeLinear": _dequantize,
    "QuantizeLinear": _quantize,
    "DynamicQuantizeLinear": _quantize_dynamically,
    "MatMulInteger": _multiply,
    "ConvInteger": _convolve,
    "QLinearMatMul": _multiply_requantized,
    "QLinearConv": _convolve_requantized,
}
