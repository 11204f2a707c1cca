"""Which lengths are the same, and which are known: axes of all variables in classes, joined by what operators demand."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from modelport_converter.frameworks.mxnet.theano.library import theano

Axis = tuple[Any, int]
"""A variable and one of its axes."""


class Equal:
    """Classes of axes; a class may have a length that weights, constants and patterns tell."""

    def __init__(self, *, guesses: bool = False) -> None:
        """Begin with nothing; with `guesses`, lengths that are meant to be the same are so, too."""
        self.guesses = guesses
        self._parents: dict[Axis, Axis] = {}
        self._lengths: dict[Axis, int] = {}

    def find(self, axis: Axis) -> Axis:
        """Return the axis that stands for the class of this one."""
        if axis not in self._parents:
            self._parents[axis] = axis
            length = _own_length(*axis)
            if length is not None:
                self._lengths[axis] = length
        root = axis
        while self._parents[root] != root:
            root = self._parents[root]
        while self._parents[axis] != root:
            self._parents[axis], axis = root, self._parents[axis]
        return root

    def join(self, one: Axis, other: Axis) -> None:
        """Note that two axes are as long."""
        first, second = self.find(one), self.find(other)
        if first != second:
            self._parents[second] = first
            length = self._lengths.pop(second, None)
            if length is not None:
                self._lengths.setdefault(first, length)

    def set(self, axis: Axis, length: int) -> None:
        """Note how long an axis is."""
        self._lengths.setdefault(self.find(axis), length)

    def length(self, axis: Axis) -> int | None:
        """Return how long an axis is, where that is known."""
        return self._lengths.get(self.find(axis))

    def same(self, one: Axis, other: Axis) -> bool:
        """Whether two axes are as long."""
        return self.find(one) == self.find(other)

    def join_all(self, variables: Iterable[Any], *, but: Sequence[int] = ()) -> None:
        """Note that variables of one rank have the same shape, but for some axes."""
        first, *rest = variables
        for other in rest:
            for axis in range(min(first.ndim, other.ndim)):
                if axis not in but:
                    self.join((first, axis), (other, axis))


def _own_length(variable: Any, axis: int) -> int | None:
    if isinstance(variable, theano.gof.Constant):
        return int(np.shape(variable.data)[axis])
    if variable.owner is None and hasattr(variable, "get_value"):
        return int(variable.get_value(borrow=True).shape[axis])
    return 1 if variable.broadcastable[axis] else None


def read_axis(variable: Any) -> Axis | None:
    """Return the axis whose length a scalar is, as graphs write it: of Shape_i, or a part of Shape."""
    passing = {"ScalarFromTensor", "TensorFromScalar", "Rebroadcast", "DimShuffle", "Assert"}
    while (node := variable.owner) is not None:
        kind = type(node.op).__name__
        if kind == "Shape_i":
            return node.inputs[0], int(node.op.i)
        if kind == "Subtensor":
            return _read_part(node)
        is_cast = kind == "Elemwise" and type(node.op.scalar_op).__name__ in {"Cast", "Identity"}
        if kind not in passing and not is_cast:
            return None
        variable = node.inputs[0]
    return None


def _read_part(node: Any) -> Axis | None:
    """Return the axis of Shape(x)[place], or of Shape(x)[:end][place]."""
    inner, index = node.inputs[0].owner, node.op.idx_list[0]
    if inner is not None and type(inner.op).__name__ == "Subtensor":  # the first ones of a shape
        first = inner.op.idx_list[0]
        if not isinstance(first, slice) or first.start is not None or first.step is not None:
            return None
        inner = inner.inputs[0].owner
    if inner is None or type(inner.op).__name__ != "Shape" or isinstance(index, slice):
        return None
    place = index if isinstance(index, int) else _number(node.inputs[1])
    is_told = place is not None and (place >= 0 or inner is node.inputs[0].owner)
    return (inner.inputs[0], place % max(1, inner.inputs[0].ndim)) if is_told and place is not None else None


def _number(variable: Any) -> int | None:
    while variable.owner is not None and type(variable.owner.op).__name__ == "ScalarFromTensor":
        variable = variable.owner.inputs[0]
    return int(variable.data) if isinstance(variable, theano.gof.Constant) else None


def elements_of(variable: Any) -> Sequence[Any] | None:
    """Return the scalars that a vector is made of, where the graph says them one by one."""
    while (node := variable.owner) is not None:
        kind = type(node.op).__name__
        if kind == "MakeVector":
            elements: Sequence[Any] = node.inputs
            return elements
        is_cast = kind == "Elemwise" and type(node.op.scalar_op).__name__ in {"Cast", "Identity"}
        if kind == "Join" and all(each.ndim == 1 for each in node.inputs[1:]):
            parts = [elements_of(each) for each in node.inputs[1:]]
            return None if any(part is None for part in parts) else [each for part in parts for each in part or ()]
        if not is_cast:
            return None
        variable = node.inputs[0]
    return None


def read_number(variable: Any) -> int | None:
    """Return a whole number that is written into the graph."""
    while variable.owner is not None and type(variable.owner.op).__name__ in {"ScalarFromTensor", "TensorFromScalar"}:
        variable = variable.owner.inputs[0]
    if isinstance(variable, theano.gof.Constant) and np.ndim(variable.data) == 0:
        return int(variable.data)
    return None
