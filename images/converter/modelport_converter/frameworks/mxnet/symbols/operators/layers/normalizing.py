"""Normalisation: by learned moments, by those of a layer, an instance or a group, by neighbours, by length."""

from collections.abc import Sequence

import numpy as np

from modelport_converter.frameworks.mxnet.symbols.operators.node import Call, operator

FLOAT = np.dtype(np.float32)


@operator(
    *("BatchNorm", "BatchNorm_v1", "CuDNNBatchNorm", "_contrib_SyncBatchNorm", "_npx_batch_norm"),
    "_contrib_BatchNormWithReLU",
    least=5,
)
def write_batch_norm(call: Call) -> str:
    """Normalise by learned moments. Epsilon is 1e-3, and gamma is 1 whatever is stored, unless they are told otherwise."""
    axis, epsilon = call.axis("axis", 1), call.number("eps", 1e-3)
    gamma, beta, mean, variance = (call.x(index) for index in range(1, 5))
    if call.flag("fix_gamma", default=True):
        gamma = call.add("Expand", np.array(1, call.inputs[1].dtype), call.add("Shape", gamma))
    if axis == 1 and call.dtype == FLOAT:
        result = call.add("BatchNormalization", call.x(), gamma, beta, mean, variance, epsilon=epsilon)
    else:
        result = _by_elements(call, axis, epsilon, [gamma, beta, mean, variance])
    return call.add("Relu", result) if call.node.operator.endswith("ReLU") else result


def _by_elements(call: Call, axis: int, epsilon: float, moments: Sequence[str]) -> str:
    """Return the same of another axis, or of another type than the moments, which are float32 at least."""
    dtype = call.inputs[3].dtype
    after = [1] * (call.rank() - axis - 1)
    gamma, beta, mean, variance = (call.graph.reshape(each, -1, *after) for each in moments)
    root = call.add("Sqrt", call.add("Add", variance, call.constant(epsilon, dtype)))
    value = call.add("Sub", call.cast(call.x(), call.dtype, dtype), mean)
    return call.cast(call.add("Add", call.add("Mul", value, call.add("Div", gamma, root)), beta), dtype, call.dtype)


@operator("LayerNorm", "_npx_layer_norm", least=3)
def write_layer_norm(call: Call) -> str:
    """Normalise along an axis."""
    axis, epsilon = call.axis("axis", -1), call.number("eps", 1e-5)
    if call.flag("output_mean_var"):
        raise call.refuse("expected output_mean_var=False", "True")
    last = call.rank() - 1
    order = [each for each in range(call.rank()) if each != axis] + [axis]
    value = call.graph.transpose(call.x(), *order)
    result = call.add("LayerNormalization", value, call.x(1), call.x(2), axis=-1, epsilon=epsilon)
    return result if axis == last else call.graph.transpose(result, *np.argsort(order).tolist())


@operator("InstanceNorm", least=3)
def write_instance_norm(call: Call) -> str:
    """Normalise each channel of each example."""
    return call.add("InstanceNormalization", call.x(), call.x(1), call.x(2), epsilon=call.number("eps", 1e-3))


@operator("GroupNorm", least=3)
def write_group_norm(call: Call) -> str:
    """Normalise groups of channels; scale and offset are those of groups, or of channels."""
    groups, epsilon = call.integer("num_groups", 1), call.number("eps", 1e-5)
    shaped = call.graph.reshape(call.x(), 0, groups, -1)
    ones, zeros = np.ones(groups, call.dtype), np.zeros(groups, call.dtype)
    result = call.add("InstanceNormalization", shaped, ones, zeros, epsilon=epsilon)
    count = call.shape(1)[0]
    if count == groups:
        scale, offset = (call.graph.reshape(call.x(index), -1, 1) for index in (1, 2))
        result = call.add("Add", call.add("Mul", result, scale), offset)
        return call.add("Reshape", result, call.add("Shape", call.x()))
    result = call.add("Reshape", result, call.add("Shape", call.x()))
    scale, offset = (call.graph.reshape(call.x(index), -1, *[1] * (call.rank() - 2)) for index in (1, 2))
    return call.add("Add", call.add("Mul", result, scale), offset)


@operator("L2Normalization")
def write_length(call: Call) -> str:
    """Divide by the root of the sum of squares: of an example, of the channels of a place, or of a channel's places."""
    mode = call.text("mode", "instance")
    axes = {"instance": range(1, call.rank()), "channel": range(1, 2), "spatial": range(2, call.rank())}.get(mode)
    if axes is None:
        raise call.refuse("expected mode as instance, channel or spatial", mode)
    squares = call.add("Mul", call.x(), call.x())
    total = call.add("ReduceSum", squares, call.graph.lengths(*axes), keepdims=1)
    return call.add("Div", call.x(), call.add("Sqrt", call.add("Add", total, call.constant(call.number("eps", 1e-10)))))


@operator("LRN")
def write_neighbours(call: Call) -> str:
    """Divide by a power of the squares of neighbouring channels."""
    return call.add(
        "LRN",
        call.x(),
        size=call.integer("nsize"),
        alpha=call.number("alpha", 1e-4),
        beta=call.number("beta", 0.75),
        bias=call.number("knorm", 2.0),
    )
