"""Sums, means, extremes, norms, and where they are."""

from collections.abc import Callable

import numpy as np

from modelport_converter.frameworks.mxnet.symbols.operators.node import Call, operator

REDUCTIONS = {
    "ReduceSum": ("sum", "sum_axis", "_np_sum"),
    "ReduceMean": ("mean", "_npi_mean"),
    "ReduceProd": ("prod", "_np_prod", "_np_product"),
    "ReduceMax": ("max", "max_axis", "_np_max", "_np_amax"),
    "ReduceMin": ("min", "min_axis", "_np_min", "_np_amin"),
}


def axes_of(call: Call) -> list[int]:
    """Return the axes to reduce; none named are all, and `exclude` names those that stay."""
    axes = [call.from_front(each, call.rank()) for each in call.whole("axis")]
    every = list(range(call.rank()))
    if call.flag("exclude"):
        return [each for each in every if each not in axes]
    return sorted(axes) if call.has("axis") and axes else every


def reduce(call: Call, name: str, value: str, axes: list[int], *, keepdims: bool) -> str:
    """Return a reduction along axes, which may be none."""
    if not axes:
        return value
    if name == "ReduceSum":  # whose axes are an operand in this set of operators
        return call.add(name, value, call.graph.lengths(*axes), keepdims=int(keepdims))
    return call.add(name, value, axes=axes, keepdims=int(keepdims))


def _register(name: str, names: tuple[str, ...]) -> None:
    @operator(*names)
    def write(call: Call) -> str:
        if call.has("initial"):
            raise call.refuse("expected no initial", call.text("initial"))
        value = call.cast(call.x(), call.dtype, call.out.dtype)
        return _shaped(call, reduce(call, name, value, axes_of(call), keepdims=call.flag("keepdims")))


for _name, _names in REDUCTIONS.items():
    _register(_name, _names)


def _shaped(call: Call, value: str) -> str:
    """Return the reduction of all axes as the vector of one element that older operators give."""
    is_scalar = not call.flag("keepdims") and len(axes_of(call)) == call.rank()
    return call.graph.reshape(value, 1) if is_scalar and call.out.shape == (1,) else value


@operator("nansum", "nanprod")
def write_numbers_alone(call: Call) -> str:
    """Reduce what is a number."""
    name, neutral = ("ReduceSum", 0) if call.node.operator == "nansum" else ("ReduceProd", 1)
    value = call.x()
    if call.dtype.kind == "f":
        value = call.add("Where", call.add("IsNaN", value), call.constant(neutral), value)
    return _shaped(call, reduce(call, name, value, axes_of(call), keepdims=call.flag("keepdims")))


@operator("norm")
def write_norm(call: Call) -> str:
    """Write the sum of sizes, or the root of the sum of squares."""
    if call.integer("ord", 2) not in {1, 2} or call.has("out_dtype"):
        raise call.refuse("expected ord 1 or 2 and no out_dtype", str(dict(call.node.attributes)))
    name = f"ReduceL{call.integer('ord', 2)}"
    return _shaped(call, reduce(call, name, call.x(), axes_of(call), keepdims=call.flag("keepdims")))


@operator("_npi_var", "_npi_std")
def write_spread(call: Call) -> str:
    """Variance, or its root."""
    if call.integer("ddof", 0):
        raise call.refuse("expected ddof=0", call.text("ddof"))
    axes, keepdims = axes_of(call), call.flag("keepdims")
    value = call.cast(call.x(), call.dtype, call.out.dtype)
    less = call.add("Sub", value, reduce(call, "ReduceMean", value, axes, keepdims=True))
    result = _shaped(call, reduce(call, "ReduceMean", call.add("Mul", less, less), axes, keepdims=keepdims))
    return call.add("Sqrt", result) if call.node.operator == "_npi_std" else result


def _places(name: str) -> Callable[[Call], str]:
    def write(call: Call) -> str:
        keepdims = call.flag("keepdims")
        if call.has("axis"):
            found = call.add(name, call.x(), axis=call.axis("axis", 0), keepdims=int(keepdims))
            found = call.graph.reshape(found, 1) if call.rank() == 1 and call.out.shape == (1,) else found
        else:
            found = call.add(name, call.graph.reshape(call.x(), -1), axis=0, keepdims=1)
            rank = len(call.out.shape)
            found = found if rank == 1 else call.graph.reshape(found, *[1] * rank)
        return call.cast(found, np.dtype(np.int64), call.out.dtype)

    return write


operator("argmax", "_npi_argmax")(_places("ArgMax"))
operator("argmin", "_npi_argmin")(_places("ArgMin"))


@operator("argmax_channel")
def write_channel(call: Call) -> str:
    """Where the largest channel is."""
    return call.cast(call.add("ArgMax", call.x(), axis=1, keepdims=0), np.dtype(np.int64), call.out.dtype)


@operator("_np_cumsum", "cumsum", "_npi_cumsum")
def write_running(call: Call) -> str:
    """Write sums so far."""
    value = call.cast(call.x(), call.dtype, call.out.dtype)
    if not call.has("axis"):
        return call.add("CumSum", call.graph.reshape(value, -1), np.array(0, np.int64))
    return call.add("CumSum", value, np.array(call.axis("axis", 0), np.int64))


@operator("topk", "sort", "argsort", "_npx_topk")
def write_sorted(call: Call) -> str | list[str]:
    """Write the k first in order, and where they are: numbers in the type that `dtype` names, which is float32 by default."""
    kind = {"sort": "value", "argsort": "indices"}.get(call.node.operator, call.text("ret_typ", "indices"))
    is_ascending = call.flag("is_ascend", call.node.operator not in {"topk", "_npx_topk"})
    value, axis = call.x(), call.rank() - 1
    if call.text("axis", "-1") == "None" or (not call.has("axis") and "axis" in call.node.attributes):
        value, axis = call.graph.reshape(value, -1), 0
    else:
        axis = call.axis("axis", -1)
    count = call.integer("k", 1) if "topk" in call.node.operator else 0
    length = call.graph.length(value, axis)
    wanted = call.graph.lengths(count) if count > 0 else length
    values, places = call.graph.add_many("TopK", ["", ""], value, wanted, axis=axis, largest=int(not is_ascending))
    if kind == "mask":
        one, zero = (call.constant(number, call.out.dtype) for number in (1, 0))
        ones, zeros = (
            call.add("Expand", number, call.add("Shape", like)) for number, like in ((one, places), (zero, value))
        )
        mask = call.add("ScatterElements", zeros, places, ones, axis=axis)
        return mask if value == call.x() else call.add("Reshape", mask, call.add("Shape", call.x()))
    if kind == "value":
        return values
    if kind == "indices":
        return call.cast(places, np.dtype(np.int64), call.out.dtype)
    return [values, call.cast(places, np.dtype(np.int64), call.outputs[1].dtype)]
