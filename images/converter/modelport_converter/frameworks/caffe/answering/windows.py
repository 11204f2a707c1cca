"""Windows by numpy: as Caffe's loops have them, one place of the window after the other for all of the image."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.caffe.layers.convolving import Convolution, InnerProduct, LocalResponse, Pooling


def convolve(layer: Convolution, x: Array) -> Array:
    """Return the cross-correlation, or its transpose, [n, outputs, …]."""
    return _spread(layer, x) if layer.is_transposed else _gather(layer, x)


def _gather(layer: Convolution, x: Array) -> Array:
    padded = np.pad(x, [(0, 0), (0, 0), *((each, each) for each in layer.pad)])
    extents = [d * (k - 1) + 1 for k, d in zip(layer.kernel, layer.dilation, strict=True)]
    lengths = [(n - extent) // s + 1 for n, extent, s in zip(padded.shape[2:], extents, layer.stride, strict=True)]
    groups = layer.weights.reshape(layer.group, -1, *layer.weights.shape[1:]).astype(x.dtype)
    total: Array = np.zeros((len(x), layer.group, groups.shape[1], int(np.prod(lengths))), x.dtype)
    for tap, place in _places(layer, lengths):
        seen = _at(padded, place).reshape(len(x), layer.group, groups.shape[2], -1)
        total += _at(groups, tap) @ seen
    return _biased(layer, total.reshape(len(x), -1, *lengths))


def _spread(layer: Convolution, x: Array) -> Array:
    lengths = x.shape[2:]
    extents = [
        s * (n - 1) + d * (k - 1) + 1
        for n, k, s, d in zip(lengths, layer.kernel, layer.stride, layer.dilation, strict=True)
    ]
    groups = layer.weights.reshape(layer.group, -1, *layer.weights.shape[1:]).astype(x.dtype)
    outputs = layer.group * groups.shape[2]
    total: Array = np.zeros((len(x), outputs, *extents), x.dtype)
    given = x.reshape(len(x), layer.group, groups.shape[1], -1)
    for tap, place in _places(layer, lengths):
        spread = _at(groups, tap).swapaxes(1, 2) @ given
        seen = _at(total, place)
        seen += spread.reshape(len(x), outputs, *lengths)
    inside = tuple(slice(p, n - p) for p, n in zip(layer.pad, extents, strict=True))
    return _biased(layer, _at(total, inside))


def _places(layer: Convolution, lengths: Sequence[int]) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Return each place of the window, and what lies there for all places of the window on the image."""
    for tap in product(*map(range, layer.kernel)):
        starts = [each * d for each, d in zip(tap, layer.dilation, strict=True)]
        ends = [start + s * (n - 1) + 1 for start, s, n in zip(starts, layer.stride, lengths, strict=True)]
        yield tap, tuple(map(slice, starts, ends, layer.stride))


def _at(values: Array, place: tuple[Any, ...]) -> Array:
    """Return a part of the last axes; of slices, the same memory."""
    part: Array = values[(Ellipsis, *place)]
    return part


def _biased(layer: Convolution, values: Array) -> Array:
    if layer.bias is None:
        return values
    biased: Array = values + layer.bias.astype(values.dtype).reshape(-1, *[1] * (values.ndim - 2))
    return biased


def multiply(layer: InnerProduct, x: Array) -> Array:
    """Return the matrix times all axes from one on."""
    flat = x.reshape(*x.shape[: layer.axis], -1)
    values: Array = flat @ layer.weights.T.astype(x.dtype)
    if layer.bias is not None:
        values += layer.bias.astype(x.dtype)
    return values


def pool(layer: Pooling, x: Array) -> Array:
    """Return means or largest numbers; what lies beyond the padding counts for neither."""
    ends = [
        max(0, s * (n - 1) + k - length - p)
        for s, n, k, length, p in zip(layer.stride, layer.lengths, layer.kernel, x.shape[2:], layer.pad, strict=True)
    ]
    fill = 0 if layer.is_mean else -np.inf
    around = [(0, 0), (0, 0), *zip(layer.pad, ends, strict=True)]
    padded = np.pad(x, around, constant_values=fill)
    total: Array = np.full((*x.shape[:2], *layer.lengths), fill, x.dtype)
    for tap in product(*map(range, layer.kernel)):
        place = tuple(
            slice(at, at + s * (n - 1) + 1, s) for at, s, n in zip(tap, layer.stride, layer.lengths, strict=True)
        )
        total = total + _at(padded, place) if layer.is_mean else np.fmax(total, _at(padded, place))
    return total / sizes_of(layer, x.shape[2:]).astype(x.dtype) if layer.is_mean else total


def sizes_of(layer: Pooling, lengths: Sequence[int]) -> Array:
    """Return how many numbers each mean is of [h, w]: those of the image, and of the padding at its ends."""
    counts = []
    for n, size, k, s, p in zip(layer.lengths, lengths, layer.kernel, layer.stride, layer.pad, strict=True):
        starts = np.arange(n) * s - p
        counts.append(np.minimum(starts + k, size + p) - starts)
    return np.outer(*counts)


def respond(layer: LocalResponse, x: Array) -> Array:
    """Return each number over a power of the mean of squares around it."""
    square, half = np.square(x), layer.size // 2
    factor: Array
    if layer.is_within:
        window = Pooling(True, (layer.size,) * 2, (1, 1), (half, half), (x.shape[2], x.shape[3]))
        factor = 1 + x.dtype.type(layer.alpha) * pool(window, square)
    else:
        padded = np.pad(square, [(0, 0), (half, half), (0, 0), (0, 0)])
        total = sum(padded[:, at : at + x.shape[1]] for at in range(layer.size))
        factor = x.dtype.type(layer.k) + total * x.dtype.type(layer.alpha / layer.size)
    values: Array = x * factor ** x.dtype.type(-layer.beta)
    return values
