"""Operators of MXNet's NumPy (`mx.np`, `mx.npx`)."""

from collections.abc import Callable
from typing import Any

import mxnet as mx
from operator_cases import Case, Given, case

N, X = mx.sym.np, mx.sym.npx
ROWS = ("n", 3, 4)
POSITIVE = Given(ROWS, 0.1, 3.0)
ONE = [
    "absolute",
    "negative",
    "exp",
    "log",
    "sqrt",
    "square",
    "sin",
    "cos",
    "tanh",
    "sign",
    "ceil",
    "floor",
    "trunc",
    "rint",
    "logical_not",
    "reciprocal",
    "log1p",
    "expm1",
    "arctan",
    "degrees",
    "cbrt",
]
TWO = [
    "add",
    "subtract",
    "multiply",
    "true_divide",
    "mod",
    "power",
    "maximum",
    "minimum",
    "equal",
    "not_equal",
    "greater",
    "less",
    "greater_equal",
    "less_equal",
    "hypot",
]


def numpy_case(name: str, make: Callable[..., Any], *inputs: Given | tuple[int | str, ...]) -> Case:
    def of_numpy(*variables: Any) -> Any:
        made = make(*(each.as_np_ndarray() for each in variables))
        return mx.sym.Group(list(made)) if isinstance(made, (list, tuple)) else made

    return case(f"np-{name}", of_numpy, *inputs)


def reduced(name: str) -> Case:
    call = getattr(N, name)
    return numpy_case(
        f"reduce-{name}",
        lambda x: [call(x, axis=1), call(x, axis=(0, 2), keepdims=True), call(x), call(x, axis=-1)],
        ROWS,
    )


CASES: list[Case] = [
    *(numpy_case(name, getattr(N, name), POSITIVE) for name in ONE),
    *(numpy_case(name, getattr(N, name), POSITIVE, POSITIVE._replace(shape=("n", 1, 4))) for name in TWO),
    numpy_case("scalars", lambda x: [x + 1.5, 2 - x, x * 3, 1 / x, x**2, 2**x, x % 0.7, x > 1, x <= 2], POSITIVE),
    numpy_case("whole", lambda x: [x / 2, x * 2, x + 0.5, N.mean(x, axis=1)], Given(ROWS, -5, 5, "int32")),
    *map(reduced, ("sum", "mean", "max", "min", "prod", "var", "std")),
    numpy_case("arg", lambda x: [N.argmax(x, axis=1), N.argmin(x, axis=-1), N.argmax(x)], ROWS),
    numpy_case("reshape", lambda x: [N.reshape(x, (-1, 12)), X.reshape(x, (-2, -1)), X.reshape(x, (-2, -6, 1, -1, -4)), X.reshape(x, (-5, -4))], ROWS),
    numpy_case("reshape-free", lambda x: [X.reshape(x, (-2, -2, 2, 3)), X.reshape(x, (-2, -2, -6, 3, -1)), X.reshape(x, (-4, 1))], ("n", "t", 6)),
    numpy_case("order", lambda x: [N.transpose(x), N.transpose(x, (0, 2, 1)), N.swapaxes(x, 1, 2), N.flip(x, axis=1), N.squeeze(N.expand_dims(x, 1), 1)], ROWS),
    numpy_case("joined", lambda x, y: [N.concatenate([x, y], axis=1), N.stack([x, x], axis=2)], ROWS, ("n", 2, 4)),
    numpy_case("split", lambda x: [*N.split(x, 2, axis=2), N.split(x, (1, 2), axis=1)[1]], ROWS),
    numpy_case("spread", lambda x: [N.tile(x, (1, 2, 1)), N.repeat(x, 2, axis=1), N.where(x > 0, x, x * 2), N.clip(x, -1, 1), N.cumsum(x, axis=1)], ROWS),
    numpy_case("dot", lambda x, y: [N.dot(x, y), N.matmul(x, y)], ("n", 4), (4, 5)),
    numpy_case("take", lambda x, y: [N.take(x, y.astype("int32"), axis=1), X.pick(x, y, axis=1)], ("n", 5), Given(("n",), 0, 4, is_whole=True)),
    numpy_case("layers", lambda x: [X.leaky_relu(x, act_type="gelu"), X.softmax(x, axis=1), X.log_softmax(x), X.sigmoid(x), X.relu(x), X.activation(x, act_type="softrelu")], ROWS),
    numpy_case("dense", lambda x: X.fully_connected(x, mx.sym.var("w").as_np_ndarray(), mx.sym.var("b").as_np_ndarray(), num_hidden=5, flatten=False), ROWS),
    numpy_case("like", lambda x: [N.zeros_like(x), N.ones_like(x), X.one_hot(N.argmax(x, axis=1), 3)], ROWS),
]  # fmt: skip
