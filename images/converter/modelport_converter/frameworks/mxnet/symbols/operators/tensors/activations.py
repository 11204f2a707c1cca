"""Activations, softmax in all its forms, and the layers of losses, which answer with what they compare."""

import math

import numpy as np

from modelport_converter.frameworks.mxnet.symbols.operators.node import Call, operator

KINDS = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "softrelu": "Softplus", "softsign": "Softsign"}
SELU = {"alpha": 1.6732632423543772, "gamma": 1.0507009873554805}


@operator("Activation", "_npx_activation")
def write_activation(call: Call) -> str:
    """One of the kinds."""
    kind = call.text("act_type")
    if kind in KINDS:
        return call.add(KINDS[kind], call.x())
    if kind == "log_sigmoid":
        return call.add("Neg", call.add("Softplus", call.add("Neg", call.x())))
    if kind == "mish":
        return call.add("Mul", call.x(), call.add("Tanh", call.add("Softplus", call.x())))
    raise call.refuse(f"expected act_type as {', '.join(KINDS)}, log_sigmoid or mish", kind)


@operator("LeakyReLU", "_npx_leaky_relu")
def write_leaky(call: Call) -> str:
    """Leaky units; prelu has a slope for each channel, rrelu the mean of its slopes where nothing is learned."""
    kind, slope = call.text("act_type", "leaky"), call.number("slope", 0.25)
    if kind == "prelu":
        return call.add("PRelu", call.x(), _slope(call))
    if kind == "leaky":
        return call.add("LeakyRelu", call.x(), alpha=slope)
    if kind == "rrelu":
        bounds = call.number("lower_bound", 0.125), call.number("upper_bound", 0.334)
        return call.add("LeakyRelu", call.x(), alpha=sum(bounds) / 2)
    if kind == "elu":
        return call.add("Elu", call.x(), alpha=slope)
    if kind == "selu":
        return call.add("Selu", call.x(), **SELU)
    if kind == "gelu":
        return _gelu(call)
    raise call.refuse("expected act_type as leaky, prelu, rrelu, elu, selu or gelu", kind)


def _slope(call: Call) -> str:
    """Return the slope so that it meets the channels, which are axis 1."""
    if call.rank(1) != 1 or call.shape(1)[0] == 1 or call.rank() == 1:
        return call.x(1)
    return call.graph.reshape(call.x(1), -1, *[1] * (call.rank() - 2))


def _gelu(call: Call) -> str:
    share = call.add("Erf", call.add("Mul", call.x(), call.constant(math.sqrt(0.5))))
    half = call.add("Mul", call.x(), call.constant(0.5))
    return call.add("Mul", half, call.add("Add", share, call.constant(1)))


@operator("hard_sigmoid")
def write_hard_sigmoid(call: Call) -> str:
    """Linear between 0 and 1."""
    return call.add("HardSigmoid", call.x(), alpha=call.number("alpha", 0.2), beta=call.number("beta", 0.5))


@operator("softmax", "log_softmax", "softmin", "_npx_softmax", "_npx_log_softmax")
def write_softmax(call: Call) -> str:
    """Softmax along an axis; behind a length of its own, each row has nothing."""
    axis, value = call.axis("axis", -1), call.x()
    kind = "LogSoftmax" if "log" in call.node.operator else "Softmax"
    if call.node.operator == "softmin":
        value = call.add("Neg", value)
    if call.has("temperature"):
        value = call.add("Div", value, call.constant(call.number("temperature")))
    value = call.cast(value, call.dtype, call.out.dtype)
    if not call.flag("use_length"):
        return call.add(kind, value, axis=axis)
    if kind == "LogSoftmax":
        raise call.refuse("expected no use_length", "True")
    shown = _within(call, axis)
    masked = call.add("Where", shown, value, call.constant(-np.inf, call.out.dtype))
    return call.add("Where", shown, call.add(kind, masked, axis=axis), call.constant(0, call.out.dtype))


def _within(call: Call, axis: int) -> str:
    """Whether places along an axis lie before the length that the second operand has for the row."""
    count = call.add("Squeeze", call.graph.length(call.x(), axis), call.graph.lengths(0))
    places = call.add("Range", np.array(0, np.int64), count, np.array(1, np.int64))
    places = call.graph.reshape(places, -1, *[1] * (call.rank() - 1 - axis))
    lengths = call.graph.cast(call.x(1), np.int64)
    return call.add("Less", places, call.add("Unsqueeze", lengths, call.graph.lengths(axis)))


@operator("SoftmaxActivation")
def write_softmax_activation(call: Call) -> str:
    """Softmax of channels, or of the last axis: what is called an instance is a row (softmax_activation-inl.h)."""
    return call.add("Softmax", call.x(), axis=1 if call.text("mode", "instance") == "channel" else -1)


@operator("SoftmaxOutput", "Softmax", labels=(1,))
def write_softmax_output(call: Call) -> str:
    """Write the answer of a classifier: of channels, of the last axis, or of all that belongs to an example."""
    if call.flag("multi_output"):
        return call.add("Softmax", call.x(), axis=1)
    return call.add("Softmax", call.x(), axis=-1) if call.flag("preserve_shape") else _of_rows(call)


def _of_rows(call: Call) -> str:
    if all(length == 1 for length in call.shape()[1:-1]):  # rows already
        return call.add("Softmax", call.x(), axis=-1)
    if call.rank() == 4 and call.dtype == np.float32:  # noqa: PLR2004
        found = "neither; of four axes, some of MXNet's kernels sum over the last one and others over all of an example"
        raise call.refuse("expected multi_output or preserve_shape", found)
    flat = call.add("Softmax", call.add("Flatten", call.x(), axis=1), axis=1)
    return call.add("Reshape", flat, call.add("Shape", call.x()))


@operator("LinearRegressionOutput", "MAERegressionOutput", "SVMOutput", labels=(1,))
def write_numbers(call: Call) -> str:
    """Write the answer itself."""
    return call.x()


@operator("LogisticRegressionOutput", labels=(1,))
def write_logistic(call: Call) -> str:
    """Write the answer as a probability."""
    return call.add("Sigmoid", call.x())


@operator("Dropout", "_npx_dropout")
def write_dropout(call: Call) -> str:
    """Nothing is dropped where nothing is learned."""
    if call.text("mode", "training") == "always" and call.number("p", 0.5) > 0:
        raise call.refuse("expected mode=training; what is always dropped is drawn by chance", "mode=always")
    return call.x()
