"""Operators of two numbers or more: blobs of one shape, a constant, or a blob that is the same along some axes."""

from collections.abc import Sequence

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.caffe.targeting import composing
from modelport_converter.frameworks.caffe.targeting.building import Building, Node, Shape, Write


def _add(to: Building, node: Node) -> str:
    return _total(to, node, 1)


def _sub(to: Building, node: Node) -> str:
    return _total(to, node, -1)


def _total(to: Building, node: Node, sign: int) -> str:
    """Return the first input plus, or minus, the second."""
    constants = [to.constant(name) for name in node.inputs]
    if constants[1] is not None:
        return _shifted(to, node, to.blob(node), sign * constants[1])
    if constants[0] is not None:
        return _shifted(to, node, composing.affine(to, to.blob(node, 1), sign), constants[0])
    blobs = [to.blob(node), to.blob(node, 1)]
    shape = to.wanted(node)
    whole = [spread(to, node, each, shape) for each in blobs]
    return composing.combine(to, node, "SUM", whole, [1, sign] if sign < 0 else [])


def _mul(to: Building, node: Node) -> str:
    for index in (0, 1):
        values = to.constant(node.input(index))
        if values is not None:
            return _scaled(to, node, to.blob(node, 1 - index), values)
    return _product(to, node, to.blob(node), to.blob(node, 1))


def _div(to: Building, node: Node) -> str:
    above, below = (to.constant(node.input(index)) for index in (0, 1))
    if below is not None:
        if not below.all():
            raise node.refuse("expected numbers to divide by, found 0")
        return _scaled(to, node, to.blob(node), 1 / below.astype(np.float64))
    inverse = composing.affine(to, to.blob(node, 1), power=-1)
    if above is not None:
        return _scaled(to, node, inverse, above)
    return _product(to, node, to.blob(node), inverse)


def _product(to: Building, node: Node, first: str, second: str) -> str:
    shape = to.wanted(node)
    if to.shape(first) != shape:
        first, second = second, first
    if to.shape(first) == shape != to.shape(second):
        axis, factor = _covering(to, second, shape)
        if factor:
            return composing.weigh(to, first, factor, axis)
    return composing.combine(to, node, "PROD", [spread(to, node, each, shape) for each in (first, second)])


def spread(to: Building, node: Node, blob: str, shape: Shape) -> str:
    """Return a blob repeated along the axes where it has a length of 1."""
    if to.shape(blob) == shape:
        return blob
    given = (*[1] * (len(shape) - len(to.shape(blob))), *to.shape(blob))
    blob = composing.reshape(to, blob, given)
    for axis in range(1, len(shape)):
        if given[axis] == 1 != shape[axis]:
            blob = composing.along(to, blob, axis, np.ones((shape[axis], 1)))
    if to.shape(blob) != shape:
        raise node.refuse(
            f"expected blobs as long as each other on the first axis, found {list(given)} and {list(shape)}"
        )
    return blob


def _covering(to: Building, blob: str, shape: Shape) -> tuple[int, str]:
    """Return the axis that a blob covers some axes from, without the lengths of 1 around them; else no blob."""
    given = (*[1] * (len(shape) - len(to.shape(blob))), *to.shape(blob))
    start, end = _covered(given)
    if end - start < 2 or given[start:end] != shape[start:end]:  # noqa: PLR2004  # OpenCV has no blob of one axis
        return 0, ""
    return start, composing.reshape(to, blob, given[start:end])


def _covered(shape: Sequence[int]) -> tuple[int, int]:
    """Return the axes from the first to the last one that is not 1 long."""
    long = [axis for axis, length in enumerate(shape) if length != 1]
    return (long[0], long[-1] + 1) if long else (0, 0)


def _shifted(to: Building, node: Node, blob: str, values: Array) -> str:
    if values.size == 1 and to.wanted(node) == to.shape(blob):
        return composing.affine(to, blob, 1, float(values.ravel()[0]))
    axis, offset = _filled(to, node, blob, values)
    return composing.scale(to, blob, np.ones(offset.shape), offset, axis)


def _scaled(to: Building, node: Node, blob: str, values: Array) -> str:
    if values.size == 1 and to.wanted(node) == to.shape(blob):
        return composing.affine(to, blob, float(values.ravel()[0]))
    axis, factor = _filled(to, node, blob, values)
    return composing.scale(to, blob, factor, None, axis)


def _filled(to: Building, node: Node, blob: str, values: Array) -> tuple[int, Array]:
    """Return the first axis that a constant covers, and the constant with the lengths in between."""
    shape = to.shape(blob)
    given = (*[1] * (len(shape) - values.ndim), *values.shape)
    if to.wanted(node) != shape:
        raise node.refuse(f"expected a constant that fits {list(shape)}, found {list(values.shape)}, which is larger")
    start, end = _covered(given)
    return start, np.broadcast_to(values.reshape(given[start:end]), shape[start:end])


def _pow(to: Building, node: Node) -> str:
    exponent = to.constant(node.input(1))
    if exponent is None or exponent.size != 1 or to.wanted(node) != to.shape(to.blob(node)):
        raise node.refuse("expected one exponent that is a constant, found several, or a computed one")
    return composing.affine(to, to.blob(node), power=float(exponent.ravel()[0]))


def _max(to: Building, node: Node) -> str:
    return _largest(to, node, 1)


def _min(to: Building, node: Node) -> str:
    return _largest(to, node, -1)


def _largest(to: Building, node: Node, sign: int) -> str:
    """Return the largest, or the smallest, number; one constant number is a bound of Clip."""
    constants = [to.constant(name) for name in node.inputs]
    known = [each for each in constants if each is not None]
    if any(each.size != 1 for each in known) or len(known) == len(constants):
        raise node.refuse("expected one number, or what follows from the inputs of the model, found constants")
    shape = to.wanted(node)
    blobs = [to.blob(node, index) for index, each in enumerate(constants) if each is None]
    blobs = [composing.affine(to, spread(to, node, each, shape), sign) for each in blobs]
    largest = blobs[0] if len(blobs) == 1 else composing.combine(to, node, "MAX", blobs)
    for each in known:
        largest = composing.clip(to, largest, sign * float(each.ravel()[0]), np.inf)
    return composing.affine(to, largest, sign)


def _sum(to: Building, node: Node) -> str:
    return _several(to, node, 1)


def _mean(to: Building, node: Node) -> str:
    return _several(to, node, 1 / len(node.inputs))


def _several(to: Building, node: Node, coefficient: float) -> str:
    shape = to.wanted(node)
    blobs = [spread(to, node, to.blob(node, index), shape) for index in range(len(node.inputs))]
    if len(blobs) == 1:
        return blobs[0]
    return composing.combine(to, node, "SUM", blobs, [coefficient] * len(blobs) if coefficient != 1 else [])


OPERATORS: dict[str, Write] = {
    "Add": _add,
    "Div": _div,
    "Max": _max,
    "Mean": _mean,
    "Min": _min,
    "Mul": _mul,
    "Pow": _pow,
    "Sub": _sub,
    "Sum": _sum,
}
