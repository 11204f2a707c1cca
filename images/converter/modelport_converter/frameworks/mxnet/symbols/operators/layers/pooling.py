"""Pooling by all of MXNet's conventions.

`valid` rounds lengths down, and `full` up. A window that reaches beyond what
is padded counts what lies within that (pool_sum_2d_cpu in src/operator/nn/pool.h): with `count_include_pad` the zeros of
the padding, else the elements alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from modelport_converter.frameworks.mxnet.symbols.operators.node import Call, operator
from modelport_converter.frameworks.mxnet.symbols.operators.tensors.reductions import reduce

FIRST = ("None", "", "NCW", "NCHW", "NCDHW")


class _Window(NamedTuple):
    """How far a window reaches along each axis."""

    kernel: tuple[int, ...]
    pads: tuple[int, ...]
    more: list[int]
    """How far the last one reaches beyond what is padded."""
    attributes: Mapping[str, Any]

    @property
    def ends(self) -> list[int]:
        """What is padded at the ends."""
        return [pad + extra for pad, extra in zip(self.pads, self.more, strict=True)]

    @property
    def is_own(self) -> bool:
        """Whether runtimes pad so themselves: less than a window, and they round up by other formulas then."""
        return "ceil_mode" not in self.attributes and all(
            end < size for end, size in zip(self.ends, self.kernel, strict=True)
        )


@operator("Pooling", "Pooling_v1", "_npx_pooling")
def write_pooling(call: Call) -> str:
    """Pool height and width, or as many axes as there are."""
    if call.text("layout") not in FIRST:
        raise call.refuse("expected channels first, as MXNet computes without a GPU", call.text("layout"))
    kind = call.text("pool_type", "max")
    if kind not in {"max", "avg", "sum", "lp"}:
        raise call.refuse("expected pool_type as max, avg, sum or lp", kind)
    if call.flag("global_pool"):
        return _global(call, kind)
    window = _read(call, kind)
    if kind == "max":
        return _largest(call, window)
    return _mean(call, window) if kind == "avg" else _total(call, window, kind)


def _read(call: Call, kind: str) -> _Window:
    axes = call.rank() - 2
    kernel, strides = call.whole("kernel"), call.whole("stride", [1] * axes)
    pads = call.whole("pad", [0] * axes)
    attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": strides}
    more = _more(call, kernel, strides, pads)
    if more is None:
        _check_free(call, kind, pads if kind == "avg" and not _counts_padding(call) else [0] * axes)
        attributes["ceil_mode"] = 1
        more = [0] * axes
    return _Window(kernel, pads, more, attributes)


def _counts_padding(call: Call) -> bool:
    return call.flag("count_include_pad", default=True)


def _largest(call: Call, window: _Window) -> str:
    if window.is_own:
        return call.add("MaxPool", call.x(), pads=[*window.pads, *window.ends], **window.attributes)
    # what MXNet begins with, and gives for a window of nothing else
    lowest = float(np.finfo(call.dtype).min) if call.dtype.kind == "f" else -np.inf
    return call.add("MaxPool", _padded(call, call.x(), window.pads, window.more, lowest), **window.attributes)


def _mean(call: Call, window: _Window) -> str:
    is_counted, none = _counts_padding(call), [0] * len(window.pads)
    beyond = window.more if is_counted else window.ends
    if any(end >= size for end, size in zip(beyond, window.kernel, strict=True)):
        raise call.refuse("expected windows that begin before the end", f"one that lies {max(beyond)} behind it")
    if not is_counted:
        return _average(call, call.x(), window.attributes, [*window.pads, *window.ends])
    if window.is_own and not any(window.more):
        pads = [*window.pads, *window.ends]
        return call.add("AveragePool", call.x(), pads=pads, count_include_pad=1, **window.attributes)
    value = _padded(call, call.x(), window.pads, none, 0)
    return _average(call, value, window.attributes, [*none, *window.more])


def _total(call: Call, window: _Window, kind: str) -> str:
    value = _padded(call, _powers(call) if kind == "lp" else call.x(), window.pads, window.more, 0)
    count = call.constant(int(np.prod(window.kernel)))
    total = call.add("Mul", call.add("AveragePool", value, **window.attributes), count)
    return total if kind == "sum" else _root(call, total)


def _check_free(call: Call, kind: str, pads: Sequence[int]) -> None:
    """Refuse what runtimes, which round up free lengths themselves, have fewer windows for, or divide by another number."""
    sides = zip(call.whole("kernel"), call.whole("stride", [1] * len(pads)), pads, strict=True)
    if kind in {"sum", "lp"} or any(pad + step > size for size, step, pad in sides):
        message = f"expected fixed lengths for pool_type {kind} with pooling_convention full and this stride; state them as numbers"
        raise call.refuse(message, str(list(call.shape())))


def _more(call: Call, kernel: tuple[int, ...], strides: tuple[int, ...], pads: tuple[int, ...]) -> list[int] | None:
    """Return how far windows reach beyond what is padded, by axis; None where that follows from the inputs."""
    kind = call.text("pooling_convention", "valid")
    if kind == "valid":
        return [0] * len(kernel)
    if kind != "full":  # `same` is for one axis, and fails without a GPU
        raise call.refuse("expected pooling_convention as valid or full", kind)
    more = []
    for axis, (size, step, pad) in enumerate(zip(kernel, strides, pads, strict=True)):
        length, count = call.shape()[axis + 2], call.out.shape[axis + 2]
        if length is None or count is None:
            if step == 1:  # nothing to round
                more.append(0)
                continue
            return None
        more.append(max(0, (count - 1) * step + size - length - 2 * pad))
    return more


def _padded(call: Call, value: str, pads: tuple[int, ...] | list[int], more: list[int], number: float) -> str:
    ends = [pad + extra for pad, extra in zip(pads, more, strict=True)]
    if not any((*pads, *ends)):
        return value
    return call.add("Pad", value, np.array([0, 0, *pads, 0, 0, *ends], np.int64), call.constant(number))


def _average(call: Call, value: str, attributes: Mapping[str, Any], pads: list[int]) -> str:
    return call.add("AveragePool", value, pads=pads, count_include_pad=0, **attributes)


def _powers(call: Call) -> str:
    """Return elements to the power of p: with their signs, as MXNet has them, so that what it gives is no norm for odd ones."""
    power, value = call.integer("p_value"), call.x()
    if power not in {1, 2, 3}:
        raise call.refuse("expected p_value as 1, 2 or 3", str(power))
    result = value
    for _ in range(power - 1):
        result = call.add("Mul", result, value)
    return result


def _root(call: Call, total: str) -> str:
    power = call.integer("p_value")
    if power == 1:
        return total
    size = call.add("Pow", call.add("Abs", total), call.constant(1 / power))
    return call.add("Mul", call.add("Sign", total), size)


def _global(call: Call, kind: str) -> str:
    axes = list(range(2, call.rank()))
    if kind == "max":
        return call.add("GlobalMaxPool", call.x())
    if kind == "avg":
        return call.add("GlobalAveragePool", call.x())
    total = reduce(call, "ReduceSum", _powers(call) if kind == "lp" else call.x(), axes, keepdims=True)
    return total if kind == "sum" else _root(call, total)


@operator("_contrib_AdaptiveAvgPooling2D")
def write_adaptive(call: Call) -> str:
    """Means of as many windows as are wanted, which begin and end at rounded places."""
    wanted = call.whole("output_size") or (1,)
    height, width = wanted if len(wanted) > 1 else wanted * 2
    if (height, width) == (1, 1):
        return call.add("GlobalAveragePool", call.x())
    rows, columns = (_windows(call.fixed(axis), count).astype(call.dtype) for axis, count in ((2, height), (3, width)))
    return call.add("MatMul", call.add("MatMul", rows, call.x()), columns.T)


def _windows(length: int, count: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """Return the weights of elements in windows, [windows, elements]."""
    starts = [number * length // count for number in range(count)]
    ends = [-(-(number + 1) * length // count) for number in range(count)]
    places = np.arange(length)
    return np.array(
        [((places >= start) & (places < end)) / (end - start) for start, end in zip(starts, ends, strict=True)]
    )
