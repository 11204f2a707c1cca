"""Nodes of older versions, and of GPUs, become nodes of Theano 1.0, which can be run and converted alike.

Theano 0.7 kept the window of a pooling and the axis of a maximum elsewhere, had no dilation, and left functions for a GPU
with its own types, whose values are those of a CPU.
"""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport_converter.frameworks.mxnet.theano.library import theano
from modelport_converter.frameworks.mxnet.theano.reading.foreign import Foreign, name_of
from modelport_converter.frameworks.mxnet.theano.reading.unpickling import GPU

tensor = theano.tensor
Variables = Sequence[Any]
Renew = Callable[[Any, Variables], Variables | None]
"""What gives the outputs that a node is to have, of itself and its inputs; None: those that it has."""


def modernise(outputs: Variables, known: dict[Any, Any]) -> list[Any]:
    """Return variables that compute the same in Theano 1.0's words; `known` are those that stand for others.

    Raises ModelportError (ConversionFailed) for operators that are not here, by name.
    """
    for node in theano.gof.graph.io_toposort(list(known), list(outputs)):
        inputs = [known.get(each) or _own(each, known) for each in node.inputs]
        known.update(zip(node.outputs, _renewed(node, inputs), strict=True))
    return [known.get(each) or _own(each, known) for each in outputs]


def own_type(variable: Any) -> Any:
    """Return the type of a variable as one of a CPU. Raises ModelportError (ConversionFailed)."""
    kind = variable.type
    if isinstance(kind, Foreign):
        pattern: Any = getattr(kind, "broadcastable", None)
        dtype = getattr(kind, "dtype", "float32")
        if pattern is None:
            _refuse(kind, "values of")
        return tensor.TensorType(str(dtype), tuple(map(bool, pattern)))
    return kind


def _own(variable: Any, known: dict[Any, Any]) -> Any:
    """Return a variable that no node makes, with a type of the CPU's."""
    kind = own_type(variable)
    if kind is variable.type:
        return variable
    value = variable.data if hasattr(variable, "data") else variable.container.storage[0]
    known[variable] = theano.shared(np.asarray(value), name=variable.name, broadcastable=kind.broadcastable)
    return known[variable]


def _renewed(node: Any, inputs: Variables) -> Variables:
    kind = type(node.op)
    renew = _RENEWED.get(kind.__name__)
    made = renew(node, inputs) if renew else None
    if made is not None:
        return made
    if isinstance(node.op, Foreign):
        _refuse(node.op, "operator")
    if all(new is old for new, old in zip(inputs, node.inputs, strict=True)):
        outputs: Variables = node.outputs
        return outputs
    # a node keeps the types that its version gave to its outputs: bytes for truth values, before 1.0
    copied = theano.gof.Apply(node.op, list(inputs), [each.clone() for each in node.outputs])
    return list(copied.outputs)


def _refuse(thing: object, what: str) -> NoReturn:
    name = name_of(thing)
    why = "its class is not there, and ONNX has no word for it; build the function of Theano's own operators"
    if name.startswith(GPU):
        why = "Theano 1.0 for CPUs has none; pickle the function where it was built with device=cpu"
    raise ModelportError(Reason.CONVERSION_FAILED, f"{what} {name}: {why}")


# --- operators --------------------------------------------------------------------------------------------------------


def _pool(node: Any, inputs: Variables) -> Variables | None:
    op = node.op
    if len(inputs) > 1:
        return None
    stride, pad = getattr(op, "st", None) or op.ds, getattr(op, "padding", (0, 0))
    new = tensor.signal.pool.Pool(bool(op.ignore_border), getattr(op, "mode", "max"), len(op.ds))
    return [new(inputs[0], tuple(map(int, op.ds)), tuple(map(int, stride)), tuple(map(int, pad)))]


def _largest(node: Any, inputs: Variables) -> Variables | None:
    if hasattr(node.op, "axis"):
        return None
    axis = [int(each) for each in np.atleast_1d(inputs[1].data)] if len(inputs) > 1 and _has_data(inputs[1]) else None
    return list(tensor.max_and_argmax(inputs[0], axis=axis))


def _has_data(variable: Any) -> bool:
    return getattr(variable, "data", None) is not None


def _convolution(node: Any, inputs: Variables) -> Variables | None:
    op, names = node.op, vars(node.op)
    if "num_groups" in names and "unshared" in names:
        return None
    space = len(op.subsample)
    options = {
        "border_mode": op.border_mode,
        "subsample": tuple(op.subsample),
        "filter_flip": op.filter_flip,
        "filter_dilation": tuple(names.get("filter_dilation", (1,) * space)),
        "num_groups": names.get("num_groups", 1),
    }
    return [type(op)(imshp=op.imshp, kshp=op.kshp, **options)(*inputs)]


def _old_convolution(node: Any, inputs: Variables) -> Variables:
    op = node.op
    if _logical(op.imshp, op.imshp_logical) or _logical(op.kshp, op.kshp_logical):
        message = (
            "operator ConvOp: logical shapes, with zeros between pixels, are not converted; use conv2d of Theano 1.0"
        )
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    options = {"border_mode": op.out_mode, "subsample": (int(op.dx), int(op.dy)), "filter_flip": True}
    return [tensor.nnet.abstract_conv.AbstractConv2d(**options)(*inputs)]


def _logical(shape: Any, logical: Any) -> bool:
    """Whether pixels are spread out: a shape that is known differs from the logical one."""
    pairs = zip(tuple(shape or ())[-2:], tuple(logical or ())[-2:], strict=False)
    return any(None not in pair and pair[0] != pair[1] for pair in pairs)


def _switch(node: Any, inputs: Variables) -> Variables | None:
    """One of two values where it is known which, such as a phase of training that was given as 0."""
    if type(node.op.scalar_op).__name__ != "Switch" or (is_true := _condition(inputs[0])) is None:
        return None
    chosen, out = inputs[1 if is_true else 2], node.outputs[0]
    return [chosen] if chosen.type == out.type else None


def _choice(node: Any, inputs: Variables) -> Variables | None:
    is_true, count = _condition(inputs[0]), len(node.outputs)
    return None if is_true is None else inputs[1 : 1 + count] if is_true else inputs[1 + count :]


def _condition(variable: Any) -> bool | None:
    """Return what a condition is that follows from nothing."""
    while variable.owner is not None:
        kind = type(variable.owner.op).__name__
        is_cast = kind == "Elemwise" and type(variable.owner.op.scalar_op).__name__ in {"Cast", "Identity"}
        if not is_cast and kind not in {"DimShuffle", "InplaceDimShuffle", "Rebroadcast", "ScalarFromTensor"}:
            return None
        variable = variable.owner.inputs[0]
    if hasattr(variable, "get_value"):  # a value that was given in the place of an input is shared
        data = None if getattr(variable.tag, "is_updated", False) else variable.get_value(borrow=True)
    else:
        data = getattr(variable, "data", None)
    return bool(data) if data is not None and np.size(data) == 1 else None


def _running(node: Any, inputs: Variables) -> Variables | None:
    mode = {"CumsumOp": "add", "CumprodOp": "mul"}.get(type(node.op).__name__, getattr(node.op, "mode", "add"))
    return [tensor.extra_ops.CumOp(axis=node.op.axis, mode=mode)(*inputs)]


def _correlation(node: Any, inputs: Variables) -> Variables:
    op = node.op
    options = {
        "border_mode": getattr(op, "border_mode", "valid"),
        "subsample": tuple(getattr(op, "subsample", (1, 1))),
        "filter_flip": False,
        "filter_dilation": tuple(getattr(op, "filter_dilation", (1, 1))),
        "num_groups": getattr(op, "num_groups", 1),
    }
    return [tensor.nnet.abstract_conv.AbstractConv2d(**options)(*inputs[:2])]


def _gpu_convolution(node: Any, inputs: Variables) -> Variables:
    description = node.inputs[3].owner.op
    options = {
        "border_mode": _border(description.border_mode),
        "subsample": tuple(description.subsample),
        "filter_flip": description.conv_mode == "conv",
        "filter_dilation": tuple(getattr(description, "dilation", (1, 1))),
        "num_groups": getattr(node.op, "num_groups", 1),
    }
    made = tensor.nnet.abstract_conv.AbstractConv2d(**options)(*inputs[:2])
    return [inputs[5] * made + inputs[4] * inputs[2] if _is_added(inputs) else made]


def _is_added(inputs: Variables) -> bool:
    alpha: Any
    beta: Any
    alpha, beta = (getattr(each, "data", None) for each in inputs[4:6]) if len(inputs) > 5 else (1, 0)  # noqa: PLR2004
    return not (alpha is None or (float(alpha) == 1 and float(beta) == 0))


def _border(mode: Any) -> Any:
    return mode if isinstance(mode, str) else tuple(map(int, mode))


def _gpu_pool(node: Any, inputs: Variables) -> Variables:
    op = node.op
    if hasattr(op, "mode") and len(inputs) > 1:
        window, stride, pad = inputs[1:4]
    else:
        op = node.inputs[1].owner.op
        window, stride, pad = (tuple(map(int, each)) for each in (op.ws, op.stride, getattr(op, "pad", (0, 0))))
    mode = {"average": "average_inc_pad"}.get(op.mode, op.mode)
    return [tensor.signal.pool.Pool(ignore_border=True, mode=mode, ndim=2)(inputs[0], window, stride, pad)]


def _gpu_softmax(node: Any, inputs: Variables) -> Variables:
    algorithm, mode = (str(getattr(node.op, name, "")) for name in ("algo", "mode"))
    axis = 1 if mode == "channel" else (1, 2, 3)
    largest = inputs[0].max(axis=axis, keepdims=True)
    if algorithm == "log":
        return [inputs[0] - largest - tensor.log(tensor.exp(inputs[0] - largest).sum(axis=axis, keepdims=True))]
    scaled = tensor.exp(inputs[0] - largest)
    return [scaled / scaled.sum(axis=axis, keepdims=True)]


def _same(_: Any, inputs: Variables) -> Variables:
    return [inputs[0]]


def _nothing(node: Any, _: Variables) -> Variables:
    return list(node.outputs)


_RENEWED: dict[str, Renew] = {
    "AbstractConv2d": _convolution,
    "AbstractConv2d_gradInputs": _convolution,
    "AbstractConv3d": _convolution,
    "ConvOp": _old_convolution,
    "CorrMM": _correlation,
    "CumOp": _running,
    "CumprodOp": _running,
    "CumsumOp": _running,
    "DownsampleFactorMax": _pool,
    "Elemwise": _switch,
    "GpuAllocEmpty": lambda node, inputs: [tensor.AllocEmpty(str(getattr(node.op, "dtype", "float32")))(*inputs)],
    "GpuContiguous": _same,
    "GpuCorrMM": _correlation,
    "GpuDnnConv": _gpu_convolution,
    "GpuDnnConvDesc": _nothing,
    "GpuDnnPool": _gpu_pool,
    "GpuDnnPoolDesc": _nothing,
    "GpuDnnSoftmax": _gpu_softmax,
    "GpuFromHost": _same,
    "GpuToGpu": _same,
    "HostFromGpu": _same,
    "IfElse": _choice,
    "MaxAndArgmax": _largest,
    "Pool": _pool,
}
"""By the operator's name."""
