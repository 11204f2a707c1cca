"""Operators of TorchScript that are no operators of tensors, as Python computes them, by their names.

Lengths may be free ones of torch.export, and stay free. Source of what they compute: TorchScript's language reference.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

import torch

OF_TENSORS: dict[str, Callable[..., Any]] = {
    "size": lambda tensor, *axis: tensor.shape[axis[0]] if axis else list(tensor.shape),
    "len": lambda tensor: tensor.shape[0],
    "numel": lambda tensor: tensor.numel(),
    "device": lambda tensor: tensor.device,
    "requires_grad": lambda _tensor: True,
    "is_cuda": lambda tensor: tensor.is_cuda,
    "stride": lambda tensor, *axis: tensor.stride(*axis),
    "Int": int,
    "IntImplicit": int,
    "Float": float,
    "FloatImplicit": float,
    "Bool": bool,
    "ScalarImplicit": lambda tensor: tensor.item(),
    "data": lambda tensor: tensor,
}
"""What a script asks a tensor of, by the operator's name: as a length of Python's, which may be free."""


def _slice(values: Any, start: int | None, end: int | None, step: int) -> Any:
    return values[start:end:step]


OF_COLLECTIONS: dict[str, Callable[..., Any]] = {
    "__getitem__": operator.getitem,
    "_set_item": operator.setitem,
    "__contains__": operator.contains,
    "append": lambda values, value: [values.append(value), values][1],
    "add_": lambda values, more: [values.extend(more), values][1],
    "extend": lambda values, more: values.extend(more),
    "insert": lambda values, at, value: values.insert(at, value),
    "pop": lambda values, *key: values.pop(*key),
    "popitem": lambda values: values.popitem(),
    "remove": lambda values, value: values.remove(value),
    "Delete": operator.delitem,
    "sort": lambda values, reverse=False: values.sort(reverse=reverse),
    "update": lambda values, more: values.update(more),
    "setdefault": lambda values, key, default: values.setdefault(key, default),
    "clear": lambda values: values.clear(),
    "reverse": lambda values: values.reverse(),
    "copy": lambda values: values.copy(),
    "list": list,
    "keys": lambda values: list(values.keys()),
    "values": lambda values: list(values.values()),
    "items": lambda values: list(values.items()),
    "get": lambda values, key, default=None: values.get(key, default),
    "len": len,
    "slice": _slice,
    "all": all,
    "any": any,
    "sum": sum,
    "max": max,
    "min": min,
    "format": lambda text, *values: text.format(*values),
    "percentFormat": operator.mod,
}
IDENTITIES: dict[str, Callable[..., Any]] = {
    "__is__": lambda one, other: one is other,
    "__isnot__": lambda one, other: one is not other,
    # without gradients, attention would be one kernel of PyTorch's, which is no operator of ONNX
    "is_grad_enabled": lambda: True,
    "is_autocast_enabled": lambda: False,
    "is_autocast_cpu_enabled": lambda: False,
    "is_scripting": lambda: True,
    "is_tracing": lambda: False,
    "warn": lambda *_message: None,
    "Print": lambda *_message: None,
}


def _tensor(values: Any, dtype: int | None, device: torch.device | None, *_: bool) -> torch.Tensor:
    # only operators know TorchScript's numbers of types
    kind = None if dtype is None else torch.ops.aten.zeros.default([0], dtype=dtype).dtype
    return torch.tensor(values, dtype=kind, device=device)


def _divide(one: Any, other: Any, rounding: str | None = None) -> Any:
    if rounding == "floor":
        return one // other
    return torch.sym_int(one / other) if rounding == "trunc" else one / other


OF_NUMBERS: dict[str, Callable[..., Any]] = {
    "add": lambda one, other, factor=1: one + factor * other,
    "sub": lambda one, other, factor=1: one - factor * other,
    "rsub": lambda one, other, factor=1: other - factor * one,
    "mul": operator.mul,
    "div": _divide,
    "floordiv": operator.floordiv,
    "floor_divide": operator.floordiv,
    "remainder": operator.mod,
    "neg": operator.neg,
    "pow": operator.pow,
    "abs": abs,
    "min": torch.sym_min,
    "max": torch.sym_max,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "__not__": torch.sym_not,
    "__and__": operator.and_,
    "__or__": operator.or_,
    "__xor__": operator.xor,
    "ceil": math.ceil,
    "floor": math.floor,
    "round": round,
    "Int": torch.sym_int,
    "IntImplicit": torch.sym_int,
    "ScalarImplicit": lambda number: number,
    "Float": torch.sym_float,
    "Bool": bool,
    "str": str,
    # a trace has lengths as tensors, and takes them out again: it is a number until an operator wants a tensor
    "NumToTensor": lambda number: number,
    "tensor": _tensor,
    "as_tensor": _tensor,
}
"""As TorchScript computes with numbers and strings, by the operator's name."""
