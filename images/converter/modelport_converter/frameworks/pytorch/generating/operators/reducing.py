"""Reductions, sorting and softmax."""

from collections.abc import Callable

from modelport_converter.frameworks.pytorch.generating.nodes import Handler, Node, UnsupportedError, of_items
from modelport_converter.frameworks.pytorch.generating.support import reducing
from modelport_converter.frameworks.pytorch.generating.values import DTYPES, Value, show


def _reduce(function: Callable[..., object], before: str = "{}", after: str = "{}") -> Handler:
    def write(node: Node) -> str | Value:
        if not node.is_float(0) and (after != "{}" or function is reducing.reduce_log_sum_exp):
            return _rounded(node, function, before, after)
        axes = node.axes("axes", 1)
        if not axes and node.get("noop_with_empty_axes", 0):
            return after.format(before.format(node.tensor(0)))
        own = node.value(0)
        if node.proto.op_type == "ReduceProd" and own.items:
            product = node.code.assign("length", " * ".join(map(show, own.items)))
            if all(map(node.code.is_natural, own.items)):
                node.code.natural.add(product)
            return of_items([product], axes=own.axes if node.get("keepdims", 1) else 0, dtype=own.dtype)
        keep = str(bool(node.get("keepdims", 1)))
        given = before.format(node.tensor(0))
        return after.format(node.code.call(function, given, str(axes or []), keep))

    return write


def _rounded(node: Node, function: Callable[..., object], before: str, after: str) -> str:
    """Return what is no whole number of whole numbers, in their type."""
    if function is reducing.reduce_log_sum_exp:
        raise UnsupportedError("of whole numbers")
    axes = node.axes("axes", 1)
    dtype = DTYPES[node.dtype(0)] if node.dtype(0) in DTYPES else f"{node.tensor(0)}.dtype"
    given = before.format(f"{node.tensor(0)}.to(torch.float64)")
    if axes or not node.get("noop_with_empty_axes", 0):
        given = node.code.call(function, given, str(axes or []), str(bool(node.get("keepdims", 1))))
    return f"{after.format(given)}.to({dtype})"


def _arg(sign: str) -> Handler:
    def write(node: Node) -> str:
        keep, last = bool(node.get("keepdims", 1)), bool(node.get("select_last_index", 0))
        given = node.tensor(0) if node.is_float(0) else f"{node.tensor(0)}.to(torch.int64)"  # bytes have no negative
        return node.code.call(reducing.arg_max, f"{sign}{given}", str(node.get("axis", 0)), str(keep), str(last))

    return write


def _top_k(node: Node) -> list[str]:
    k = str(node.get("k")) if node.get("k") is not None else node.length(1)
    call = node.code.call(
        reducing.top_k, node.tensor(0), k, str(node.get("axis", -1)), str(bool(node.get("largest", 1)))
    )
    values, indices = (node.code.fresh(name or "unused") for name in node.proto.output)
    node.code.line(f"{values}, {indices} = {call}")
    return [values, indices]


def _cumulate(node: Node) -> str:
    flags = [str(bool(node.get(name, 0))) for name in ("exclusive", "reverse")]
    return node.code.call(reducing.cumulative_sum, node.tensor(0), node.length(1), *flags)


def _soften(function: str) -> Handler:
    def write(node: Node) -> str:
        text = node.tensor(0)
        if node.version >= 13:  # noqa: PLR2004
            return function.format(text, node.get("axis", -1))
        # before, all axes from this one on were taken for one
        axis, rank = node.get("axis", 1), node.known_rank()
        axis += rank if axis < 0 else 0
        if axis == rank - 1:
            return function.format(text, axis)
        return f"{function.format(f'{text}.flatten({axis})', axis)}.reshape({text}.shape)"

    return write


def _hard(node: Node) -> str:
    if node.version < 13 and node.get("axis", 1) not in (-1, node.known_rank() - 1):  # noqa: PLR2004
        raise UnsupportedError("over several axes")
    axis = node.get("axis", -1 if node.version >= 13 else 1)  # noqa: PLR2004
    return node.code.call(reducing.hard_max, node.tensor(0), str(axis))


OPERATORS: dict[str, Callable[[Node], object]] = {
    "ReduceSum": _reduce(reducing.reduce_sum),
    "ReduceMean": _reduce(reducing.reduce_mean),
    "ReduceMax": _reduce(reducing.reduce_max),
    "ReduceMin": _reduce(reducing.reduce_min),
    "ReduceProd": _reduce(reducing.reduce_prod),
    "ReduceL1": _reduce(reducing.reduce_sum, "torch.abs({})"),
    "ReduceL2": _reduce(reducing.reduce_sum, "torch.square({})", "torch.sqrt({})"),
    "ReduceLogSum": _reduce(reducing.reduce_sum, "{}", "torch.log({})"),
    "ReduceLogSumExp": _reduce(reducing.reduce_log_sum_exp),
    "ReduceSumSquare": _reduce(reducing.reduce_sum, "torch.square({})"),
    "ArgMax": _arg(""),
    "ArgMin": _arg("-"),
    "TopK": _top_k,
    "CumSum": _cumulate,
    "Softmax": _soften("F.softmax({}, {})"),
    "LogSoftmax": _soften("F.log_softmax({}, {})"),
    "Hardmax": _hard,
}
