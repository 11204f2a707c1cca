"""The module that is written: its layers and weights, its forward, and the functions that it needs."""

import builtins
import inspect
import keyword
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from onnx import TensorProto

from modelport.asking.pytorch.tensors import to_tensor
from modelport.verification.arrays import Array
from modelport_converter.frameworks.pytorch.generating.support import (
    elements,
    indexing,
    lengths,
    loops,
    normalising,
    padding,
    quantized,
    recurrent,
    reducing,
    resizing,
)
from modelport_converter.frameworks.pytorch.generating.values import (
    DTYPES,
    Item,
    UnsupportedError,
    Value,
    identifier,
    is_float,
    show,
    show_list,
)

_HELPERS = (elements, indexing, lengths, loops, normalising, padding, quantized, recurrent, reducing, resizing)
_RESERVED = {
    *(name for each in _HELPERS for name, held in vars(each).items() if inspect.isfunction(held)),
    *keyword.kwlist,
    *dir(builtins),
    "self",
    "torch",
    "nn",
    "F",
    "math",
    "Tensor",
    "Model",
    "INPUTS",
    "OUTPUTS",
}
_LENGTH = re.compile(r"[\w.]+\.(shape\[\d+\]|numel\(\))")
_OF_MODULES = set(dir(torch.nn.Module()))


class Blueprint:
    """A module: what its constructor makes, and its weights by name."""

    def __init__(self) -> None:
        self.made: dict[str, str] = {}
        """Expressions of the constructor by attribute."""
        self.state: dict[str, torch.Tensor] = {}
        self.helpers: dict[str, Callable[..., Any]] = {}
        self._placed: dict[object, str] = {}

    def layer(self, name: str, made: str, weights: dict[str, Array], key: object) -> str:
        """Return the attribute of a layer, which is made once for each key."""
        if key not in self._placed:
            own = self._fresh(name)
            tensors = {part: to_tensor(np.ascontiguousarray(each)) for part, each in weights.items()}
            types = {each.dtype for each in tensors.values() if each.is_floating_point()}
            if len(types) > 1:
                raise UnsupportedError("with weights of several types")
            # a layer takes numbers of the type of its weights alone
            others = types - {torch.float32}
            self.made[own] = f"{made.removesuffix(')')}, dtype={others.pop()})" if others else made
            self.state |= {f"{own}.{part}": each for part, each in tensors.items()}
            self._placed[key] = f"self.{own}"
        return self._placed[key]

    def constant(self, name: str, array: Array) -> str:
        """Return the attribute of a constant."""
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._placed:
            own, tensor = self._fresh(name), to_tensor(np.ascontiguousarray(array).reshape(array.shape))
            empty = f"torch.empty({list(array.shape)}, dtype={tensor.dtype})"
            self.made[own] = f"nn.Parameter({empty})" if tensor.is_floating_point() else f"nn.Buffer({empty})"
            self.state[own] = tensor
            self._placed[key] = f"self.{own}"
        return self._placed[key]

    def use(self, function: Callable[..., Any]) -> str:
        """Return the name of a function that the module's file will have, with those that it calls."""
        name = function.__name__
        if name not in self.helpers:
            self.helpers[name] = function
            for other in function.__code__.co_names:
                called = function.__globals__.get(other)
                if inspect.isfunction(called) and called.__module__.startswith(__package__ or ""):
                    self.use(called)
        return name

    def _fresh(self, name: str) -> str:
        wish = identifier(name)
        own, number = wish, 2
        while own in self.made or own in _OF_MODULES or own in _RESERVED:
            own, number = f"{wish}_{number}", number + 1
        return own


class Code:
    """Lines of a forward, and the values that they have."""

    def __init__(self, module: Blueprint) -> None:
        self.module = module
        self.lines: list[str] = []
        self.values: dict[str, Value] = {}
        self.ranks: dict[str, int] = {}
        """Of values whose shapes nothing else tells."""
        self.natural: set[str] = set()
        """Names of numbers that are never negative."""
        self.whole: set[str] = set()
        """Names of floating-point numbers that have no fraction."""
        self.products: dict[str, tuple[str, str, float]] = {}
        """Names of products and quotients that float32 rounds: a free length, the symbol, and the number."""
        self._depth = 0
        self._taken: set[str] = set()

    def exact(self, item: Item) -> Item:
        """Return a number as float32 has it."""
        if not isinstance(item, str) or item not in self.products:
            return item
        return self.call(lengths.round_number, item)

    def is_natural(self, item: Item) -> bool:
        """Return whether a number is known never to be negative."""
        if isinstance(item, str):
            return item in self.natural or _LENGTH.fullmatch(item) is not None
        return item >= 0

    def line(self, text: str) -> None:
        """Add a line."""
        self.lines.append("    " * self._depth + text)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Have the lines of a block below its head; what is named in it is not known behind it."""
        self.line(head)
        self._depth += 1
        before, count = dict(self.values), len(self.lines)
        yield
        if len(self.lines) == count:
            self.line("pass")
        self._depth -= 1
        self.values = before

    def fresh(self, name: str) -> str:
        """Return a name that no other value has."""
        wish = identifier(name)
        own, number = wish, 2
        while own in self._taken or own in _RESERVED:
            own, number = f"{wish}_{number}", number + 1
        self._taken.add(own)
        return own

    def assign(self, name: str, expression: str) -> str:
        """Add a line that gives a value a name, and return the name."""
        own = self.fresh(name)
        self.line(f"{own} = {expression}")
        return own

    def call(self, function: Callable[..., Any], *arguments: str, **named: str) -> str:
        """Return a call of a function that is copied into the module's file."""
        given = [*arguments, *(f"{name}={value}" for name, value in named.items())]
        return f"{self.module.use(function)}({', '.join(given)})"

    def tensor(self, value: Value, name: str = "constant") -> str:
        """Return the expression of a value as a tensor."""
        if value.items is not None and not value.is_constant:
            dtype = DTYPES[value.dtype]
            if is_float(value.dtype):
                items = show_list(value.items) if value.axes else show(value.items[0])
                return f"torch.tensor({items}, dtype={dtype})"
            joined = self.call(lengths.join_lengths, show_list(value.items))
            joined = joined if value.axes else f"{joined}.reshape([])"
            return joined if value.dtype == TensorProto.INT64 else f"{joined}.to({dtype})"
        constant = value.constant
        return value.text if constant is None else self.module.constant(name, constant)
