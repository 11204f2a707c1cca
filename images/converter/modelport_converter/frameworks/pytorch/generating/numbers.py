"""What is computed with Python's numbers instead of with tensors: shapes, and what follows from them."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto

from modelport_converter.frameworks.pytorch.generating.nodes import Node, UnsupportedError, of_items
from modelport_converter.frameworks.pytorch.generating.rounding import find_factor
from modelport_converter.frameworks.pytorch.generating.support import lengths
from modelport_converter.frameworks.pytorch.generating.values import DTYPES, Item, Value, is_float, show


def compute(node: Node) -> Value | None:
    """Return the numbers that a node makes of numbers, of which some are not known; None where a tensor is needed."""
    kind = node.proto.op_type
    values = [value for value in node.inputs if value is not None]
    if kind not in _OF_ITEMS or not any(value.items is not None for value in values):
        return None
    numbers = [value.numbers for value in values]
    if any(each is None for each in numbers):
        return None
    known = [each for each in numbers if each is not None]
    axes = max(len(node.shape(index) or ()) for index in range(len(values)))
    count = 1 if any(len(each) == 1 for each in known) and axes == 0 else _count(known)
    rows = [each * count if len(each) == 1 else each for each in known]
    if any(len(each) != count for each in rows):
        return None
    dtype = _result_type(node, kind)
    if dtype not in DTYPES or (is_float(dtype) and dtype not in (TensorProto.FLOAT, TensorProto.DOUBLE)):
        return None
    found: list[Item] = []
    for row in zip(*rows, strict=True):
        try:
            is_single = kind in _ARITHMETIC and dtype == TensorProto.FLOAT
            item = _in_float32(node, kind, row) if is_single else _OF_ITEMS[kind](node, dtype, *row)
        except (UnsupportedError, ZeroDivisionError):
            return None
        if isinstance(item, str) and not item.isidentifier():
            item = node.code.assign("length", item)
            if kind in _NATURAL and all(map(node.code.is_natural, row)):
                node.code.natural.add(item)
            if kind in ("Floor", "Ceil") or (kind == "Cast" and not node.is_float(0)):
                node.code.whole.add(item)
        found.append(item)
    return of_items(found, axes=axes, dtype=dtype)


_ARITHMETIC = ("Add", "Sub", "Mul", "Div", "Mod", "Neg")
_NATURAL = ("Add", "Mul", "Div", "Mod", "Cast", "Floor", "Ceil")
"""What makes no negative numbers of others."""


def _count(known: list[tuple[Item, ...]]) -> int:
    others = [len(each) for each in known if len(each) != 1]
    return others[0] if others else 1


def _result_type(node: Node, kind: str) -> int:
    if kind == "Cast":
        return int(node.get("to"))
    if kind in ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "And", "Or"):
        return int(TensorProto.BOOL)
    return node.dtype(1 if kind == "Where" else 0)


def _infix(symbol: str, known: Callable[[Any, Any], Item]) -> Callable[..., Item]:
    def write(_node: Node, _dtype: int, one: Item, other: Item) -> Item:
        if isinstance(one, str) or isinstance(other, str):
            return f"({show(one)} {symbol} {show(other)})"
        return known(one, other)

    return write


def _in_float32(node: Node, kind: str, row: tuple[Item, ...]) -> Item:
    """Return the result of arithmetic as float32 has it, where some of the numbers are not known."""
    code, dtype = node.code, int(TensorProto.FLOAT)
    product = _scaled(node, kind, row)
    if product:
        return product
    item = _OF_ITEMS[kind](node, dtype, *map(code.exact, row))
    if not isinstance(item, str):
        return float(np.float32(item))
    is_whole = kind != "Div" and all(each in code.whole if isinstance(each, str) else each % 1 == 0 for each in row)
    if item.isidentifier() and (item in row or is_whole):
        return item
    item = code.assign("number", item if is_whole else code.call(lengths.round_number, item))
    if is_whole:
        code.whole.add(item)
    if kind in _NATURAL and all(map(code.is_natural, row)):
        code.natural.add(item)
    return item


def _scaled(node: Node, kind: str, row: tuple[Item, ...]) -> str:
    """Return the product, or quotient, of a free length and a number that rounds to whole ones as float32's; else none."""
    if kind not in ("Mul", "Div"):
        return ""
    length, number = row if isinstance(row[0], str) or kind == "Div" else row[::-1]
    if not isinstance(length, str) or isinstance(number, str) or number <= 0 or number == 1:
        return ""
    if length not in node.code.whole or not node.code.is_natural(length):
        return ""
    symbol = "*" if kind == "Mul" else "/"
    name = node.code.assign("number", f"({length} {symbol} {float(number)!r})")
    node.code.natural.add(name)
    node.code.products[name] = (length, symbol, float(number))
    return name


def _whole(node: Node, function: str, one: str) -> str:
    """Return a number rounded to a whole one, as it is where it was computed in float32."""
    if one not in node.code.products:
        return f"math.{function}({one})"
    length, symbol, number = node.code.products[one]
    factor = find_factor(number, np.multiply if symbol == "*" else np.divide, getattr(np, function))
    if factor is None:
        return f"math.{function}({node.code.exact(one)})"
    return f"math.{function}({length} {symbol} {factor!r})"


def _multiply(_node: Node, _dtype: int, one: Item, other: Item) -> Item:
    if isinstance(one, str) or isinstance(other, str):
        if 1 in (one, other):
            return other if one == 1 else one
        return f"({show(one)} * {show(other)})"
    return one * other


def _divide(node: Node, dtype: int, one: Item, other: Item) -> Item:
    if is_float(dtype):
        return f"({show(one)} / {show(other)})" if isinstance(one, str) or isinstance(other, str) else one / other
    if not isinstance(one, str) and not isinstance(other, str):
        return abs(int(one)) // abs(int(other)) * (1 if (one < 0) == (other < 0) else -1)
    if other == 1:
        return one
    if node.code.is_natural(one) and node.code.is_natural(other):
        return f"({show(one)} // {show(other)})"
    if isinstance(other, str):
        raise UnsupportedError("by what may be negative")
    quotient = node.code.call(lengths.divide_lengths, show(one), show(abs(other)))
    return quotient if other > 0 else f"(-{quotient})"


def _modulo(node: Node, dtype: int, one: Item, other: Item) -> Item:
    if node.get("fmod", 0) and not (node.code.is_natural(one) and node.code.is_natural(other)):
        raise UnsupportedError("of what may be negative")
    if isinstance(one, str) or isinstance(other, str):
        return f"({show(one)} % {show(other)})"
    return one % other if not is_float(dtype) else math.fmod(one, other)


def _compare(symbol: str, known: Callable[[Any, Any], bool]) -> Callable[..., Item]:
    def write(_node: Node, _dtype: int, one: Item, other: Item) -> Item:
        if not isinstance(one, str) and not isinstance(other, str):
            return known(one, other)
        number = other if isinstance(one, str) else one
        if symbol == "==" and not isinstance(number, str) and number < 0:
            return False  # no length is
        raise UnsupportedError("a decision by a free length")

    return write


def _where(_node: Node, _dtype: int, condition: Item, one: Item, other: Item) -> Item:
    if isinstance(condition, str):
        raise UnsupportedError("a decision by a free length")
    return one if condition else other


def _cast(node: Node, dtype: int, one: Item) -> Item:
    given = node.dtype(0)
    if isinstance(one, str):
        if dtype == TensorProto.BOOL:
            raise UnsupportedError("a decision by a free length")
        if is_float(dtype) and is_float(given):
            if dtype == TensorProto.DOUBLE:
                return node.code.exact(one)
            # a float64 is one of float32 where it has no fraction
            return one if given == dtype or one in node.code.whole else node.code.call(lengths.round_number, one)
        if is_float(dtype) == is_float(given):
            return one
        if not is_float(dtype) and not node.code.is_natural(one):
            raise UnsupportedError("of what may be negative")
        return f"({one} * 1.0)" if is_float(dtype) else _whole(node, "floor", one)
    return float(one) if is_float(dtype) else bool(one) if dtype == TensorProto.BOOL else int(one)


def _rounded(function: str) -> Callable[..., Item]:
    def write(node: Node, _dtype: int, one: Item) -> Item:
        return f"({_whole(node, function, one)} * 1.0)" if isinstance(one, str) else float(getattr(math, function)(one))

    return write


def _extreme(function: Callable[..., Any]) -> Callable[..., Item]:
    def write(_node: Node, _dtype: int, one: Item, other: Item) -> Item:
        if isinstance(one, str) or isinstance(other, str):
            raise UnsupportedError("a decision by a free length")
        return function(one, other)  # type: ignore[no-any-return]

    return write


def _negate(_node: Node, _dtype: int, one: Item) -> Item:
    return f"(-{one})" if isinstance(one, str) else -one


_OF_ITEMS: dict[str, Callable[..., Item]] = {
    "Add": _infix("+", lambda one, other: one + other),
    "Sub": _infix("-", lambda one, other: one - other),
    "Mul": _multiply,
    "Div": _divide,
    "Mod": _modulo,
    "Equal": _compare("==", lambda one, other: one == other),
    "Greater": _compare(">", lambda one, other: one > other),
    "GreaterOrEqual": _compare(">=", lambda one, other: one >= other),
    "Less": _compare("<", lambda one, other: one < other),
    "LessOrEqual": _compare("<=", lambda one, other: one <= other),
    "Max": _extreme(max),
    "Min": _extreme(min),
    "Where": _where,
    "Cast": _cast,
    "Floor": _rounded("floor"),
    "Ceil": _rounded("ceil"),
    "Neg": _negate,
}
