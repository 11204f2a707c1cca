"""Functions of single elements that stand behind layers, and the error function.

TensorFlow Lite has no operator for the error function. There it is a polynomial below 1, and above it 1 minus the
exponential of one: both fitted to float32, where it is off by 2.4 units in the last place at most, 1.3e-7.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from modelport_converter.frameworks.tensorflow.onnx_operators.node import MICROSOFT, Node, Results, operator

SMALL = (
    1.128379165914815, -0.3761262713852894, 0.1128360019330567, -0.026854445054461856, 0.005189535902959168,
    -0.0008020844106638265, 7.889122999419279e-05,
)  # fmt: skip
"""erf(x) / x by powers of x², for |x| up to 1."""
LARGE = (
    0.00018803885688534194, -1.1295784181626416, -0.6332199045138914, -0.10841856566461767, 0.02520824972293565,
    -0.004204559392796346, 0.00044133589925221246, -2.168681131044935e-05,
)  # fmt: skip
"""log(1 - erf(x)) by powers of x, for x from 1 to 4, beyond which erf is 1 in float32."""


def erf(x: tf.Tensor, *, lite: bool) -> tf.Tensor:
    """Return the error function."""
    if not lite or x.dtype == tf.float64:
        return tf.math.erf(x)
    size = tf.minimum(tf.abs(x), tf.constant(4, x.dtype))
    small = x * _polynomial(SMALL, tf.square(tf.minimum(size, tf.constant(1, x.dtype))))
    large = tf.sign(x) * (1 - tf.exp(_polynomial(LARGE, tf.maximum(size, tf.constant(1, x.dtype)))))
    return tf.where(size < 1, small, large)


def _polynomial(powers: Sequence[float], x: tf.Tensor) -> tf.Tensor:
    total = tf.constant(powers[-1], x.dtype)
    for each in powers[-2::-1]:
        total = total * x + tf.constant(each, x.dtype)
    return total


@operator("Erf", elementwise=True)
def _erf(node: Node) -> Results:
    return erf(node.tensor(), lite=node.scope.lite)


def gelu(x: tf.Tensor, *, lite: bool) -> tf.Tensor:
    """Return x times the normal distribution's share below x."""
    half = tf.constant(0.5, x.dtype)
    return half * x * (1 + erf(x * tf.constant(0.5**0.5, x.dtype), lite=lite))


def gelu_by_tanh(x: tf.Tensor) -> tf.Tensor:
    """Return the approximation of GELU."""
    inner = tf.constant((2 / 3.141592653589793) ** 0.5, x.dtype) * (x + tf.constant(0.044715, x.dtype) * x * x * x)
    return tf.constant(0.5, x.dtype) * x * (1 + tf.tanh(inner))


@operator("Gelu", elementwise=True)
def _gelu(node: Node) -> Results:
    return gelu_by_tanh(node.tensor()) if node.attributes["approximate"] == "tanh" else _exact_gelu(node)


@operator("Gelu", domain=MICROSOFT, elementwise=True)
def _exact_gelu(node: Node) -> Results:
    return gelu(node.tensor(), lite=node.scope.lite)


@operator("BiasGelu", domain=MICROSOFT, elementwise=True)
def _bias_gelu(node: Node) -> Results:
    return gelu(node.tensor(0) + node.tensor(1), lite=node.scope.lite)


@operator("FastGelu", domain=MICROSOFT, elementwise=True)
def _fast_gelu(node: Node) -> Results:
    bias = node.optional(1)
    return gelu_by_tanh(node.tensor() if bias is None else node.tensor() + bias)


@operator("QuickGelu", domain=MICROSOFT, elementwise=True)
def _quick_gelu(node: Node) -> Results:
    x = node.tensor()
    return x * tf.sigmoid(tf.constant(node.attributes.get("alpha", 1.702), x.dtype) * x)


def softplus(x: tf.Tensor, *, lite: bool) -> tf.Tensor:
    """Return log(1 + exp(x))."""
    return tf.maximum(x, 0) + tf.math.log(1 + tf.exp(-tf.abs(x))) if lite else tf.math.softplus(x)


plain: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "Relu": lambda x: tf.nn.relu(x) if x.dtype != tf.int8 else tf.maximum(x, tf.zeros([], x.dtype)),
    "Sigmoid": tf.sigmoid,
    "Softsign": lambda x: x / (1 + tf.abs(x)),
    "HardSwish": lambda x: x * tf.clip_by_value(x * tf.constant(1 / 6, x.dtype) + tf.constant(0.5, x.dtype), 0, 1),
}


@operator(*plain, elementwise=True)
def _plain(node: Node) -> Results:
    return plain[node.kind](node.tensor())


@operator("Softplus", "Mish", elementwise=True)
def _softplus(node: Node) -> Results:
    found = softplus(node.tensor(), lite=node.scope.lite)
    return node.tensor() * tf.tanh(found) if node.kind == "Mish" else found


parameters: dict[str, Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "LeakyRelu": lambda x, alpha, _: tf.where(x < 0, alpha * x, x),
    "Elu": lambda x, alpha, _: tf.where(x < 0, alpha * tf.math.expm1(tf.minimum(x, 0)), x),
    "Celu": lambda x, alpha, _: tf.maximum(x, 0) + tf.minimum(alpha * tf.math.expm1(tf.minimum(x, 0) / alpha), 0),
    "Selu": lambda x, alpha, gamma: gamma * tf.where(x > 0, x, alpha * tf.math.expm1(tf.minimum(x, 0))),
    "HardSigmoid": lambda x, alpha, beta: tf.clip_by_value(alpha * x + beta, 0, 1),
    "ThresholdedRelu": lambda x, alpha, _: tf.where(x > alpha, x, tf.zeros_like(x)),
    "Swish": lambda x, alpha, _: x * tf.sigmoid(alpha * x),
}


@operator(*parameters, elementwise=True)
def _with_parameters(node: Node) -> Results:
    x = node.tensor()
    alpha, second = node.attributes["alpha"], node.attributes.get("beta", node.attributes.get("gamma", 0.0))
    if node.scope.lite:
        if node.kind == "LeakyRelu":
            return tf.nn.leaky_relu(x, alpha)
        if node.kind == "Elu" and alpha == 1:
            return tf.nn.elu(x)
    return parameters[node.kind](x, tf.constant(alpha, x.dtype), tf.constant(second, x.dtype))


@operator("PRelu", elementwise=True)
def _prelu(node: Node) -> Results:
    """Scale what is below zero: the slopes are broadcast as NumPy does, from the last axis: those for channels have axes of one behind them."""
    x = node.tensor()
    return tf.maximum(x, 0) + node.tensor(1) * tf.minimum(x, 0)


@operator("Shrink", elementwise=True)
def _shrink(node: Node) -> Results:
    x = node.tensor()
    wide = x if x.dtype.is_floating else tf.cast(x, tf.float32)
    bias, lambd = node.attributes["bias"], node.attributes["lambd"]
    kept = tf.where(wide < -lambd, wide + bias, tf.where(wide > lambd, wide - bias, tf.zeros_like(wide)))
    return tf.cast(kept, x.dtype)
