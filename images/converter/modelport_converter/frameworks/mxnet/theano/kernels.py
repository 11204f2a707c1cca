"""Two operators that answer by numpy here, because their own Python fails.

Theano's pooling indexes by lists of slices, which numpy took for tuples until 1.22; its convolution calls a function
inside scipy that has moved, once for each image, filter and channel. Both are computed as its C code does: windows, and
one sum for each.
"""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from modelport.verification.arrays import Array
from modelport_converter.frameworks.mxnet.theano.library import theano

_Pool = theano.tensor.signal.pool.Pool
_Convolution = theano.tensor.nnet.abstract_conv.BaseAbstractConv


def install() -> None:
    """Let Theano use them."""
    _Pool.perform = _perform_pool
    _Convolution.conv = _convolve


def _perform_pool(op: Any, _: Any, inputs: Any, outputs: Any, params: Any) -> None:
    value, window, stride, pad = inputs
    shape = op.out_shape(value.shape, window, params.ignore_border, stride, pad, op.ndim)
    if min(shape[-op.ndim :]) <= 0:
        raise ValueError(f"pooling of {list(value.shape)} with a window of {list(window)} leaves nothing")
    outputs[0][0] = pool(value, (window, stride, pad), shape, op.mode)


def pool(value: Array, how: tuple[Any, Any, Any], shape: Any, mode: str) -> Array:
    """Return the values [..., height, width] pooled; `how` has lengths, steps and padding of the windows, by axis.

    A window that leads beyond the padded image ends with it. Padding counts as zeros for `average_inc_pad` alone.
    """
    window, stride, pad = ([int(each) for each in part] for part in how)
    space, within = len(window), value.shape[-len(window) :]
    counts = list(shape[-space:])
    ends = [(count - 1) * step + length for count, step, length in zip(counts, stride, window, strict=True)]
    widths = [(0, 0)] * (value.ndim - space) + [
        (each, max(0, end - length - each)) for each, end, length in zip(pad, ends, within, strict=True)
    ]
    least = -np.inf if value.dtype.kind == "f" else np.iinfo(value.dtype).min if value.dtype.kind in "iu" else False
    padded = np.pad(value, widths, constant_values=least if mode == "max" else 0)
    axes = tuple(range(-space, 0))
    windows = _windows(padded, window, stride, counts)
    if mode == "max":
        return np.asarray(windows.max(axis=axes), value.dtype)
    total = windows.sum(axis=axes)
    if mode == "sum":
        return np.asarray(total, value.dtype)
    counted = np.ones([length + 2 * each for length, each in zip(within, pad, strict=True)])
    if mode == "average_exc_pad":
        counted = np.pad(np.ones(within), [(each, each) for each in pad])
    beyond = [(0, max(0, end - length)) for end, length in zip(ends, counted.shape, strict=True)]
    number = _windows(np.pad(counted, beyond), window, stride, counts).sum(axis=axes)
    return np.asarray(total / number, value.dtype)


def _windows(array: Array, window: list[int], stride: list[int], counts: list[int]) -> Array:
    space = len(window)
    views = sliding_window_view(array, window, axis=tuple(range(array.ndim - space, array.ndim)))
    steps = tuple(slice(None, (count - 1) * step + 1, step) for count, step in zip(counts, stride, strict=True))
    cut: tuple[Any, ...] = (..., *steps, *([slice(None)] * space))
    return np.asarray(views[cut])


def _convolve(  # noqa: PLR0917  # Theano's own signature
    op: Any,
    image: Array,
    kernel: Array,
    mode: str = "valid",
    dilation: Any = 1,
    num_groups: int = 1,
    unshared: bool = False,  # Theano's own signature
    direction: str = "forward",
) -> Array:
    """Return the convolution (with the kernel flipped) of images [n, channels, …] and kernels [out, channels, …]."""
    if unshared:
        raise ValueError(f"unshared convolution ({direction})")
    space = op.convdim
    steps = (dilation,) * space if isinstance(dilation, int) else tuple(map(int, dilation))
    if image.shape[1] != kernel.shape[1] * num_groups or kernel.shape[0] % num_groups:
        raise ValueError(
            f"{image.shape[1]} channels and {kernel.shape[0]} filters of {kernel.shape[1]} in {num_groups}"
        )
    flipped = np.flip(kernel, tuple(range(-space, 0)))
    reach = [(length - 1) * step + 1 for length, step in zip(kernel.shape[2:], steps, strict=True)]
    if mode == "full":
        image = np.pad(image, [(0, 0), (0, 0), *((length - 1, length - 1) for length in reach)])
    if any(length < each for length, each in zip(image.shape[2:], reach, strict=True)):
        raise ValueError(f"a kernel of {reach} is larger than an image of {list(image.shape[2:])}")
    answers = [
        np.concatenate(
            [
                _correlate(part, filters, reach, steps)
                for part, filters in zip(np.split(each, num_groups), np.split(flipped, num_groups), strict=True)
            ]
        )
        for each in image
    ]
    lengths = [length - each + 1 for length, each in zip(image.shape[2:], reach, strict=True)]
    empty = np.zeros((0, kernel.shape[0], *lengths))
    return np.asarray(np.stack(answers) if answers else empty, image.dtype)


def _correlate(image: Array, filters: Array, reach: list[int], steps: tuple[int, ...]) -> Array:
    """Return [out, …] of one image [channels, …] and filters [out, channels, …]."""
    space = len(reach)
    views = sliding_window_view(image, reach, axis=tuple(range(1, 1 + space)))
    cut: tuple[Any, ...] = (..., *(slice(None, None, step) for step in steps))
    inner = (0, *range(1 + space, 1 + 2 * space))
    return np.tensordot(filters, views[cut], (tuple(range(1, 2 + space)), inner))
