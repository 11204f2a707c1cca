"""Operators element by element, and activations."""

import mxnet as mx
from operator_cases import Case, Given, case

S = mx.sym
ROWS = ("n", 3, 4)
PLAIN = Given(ROWS)
POSITIVE = Given(ROWS, 0.1, 3.0)
UNIT = Given(ROWS, -0.9, 0.9)
WHOLE = Given(ROWS, -3, 3, is_whole=True)
SPECIAL = {"log", "log2", "log10", "sqrt", "rsqrt", "arccosh", "log1p"}

ONE = [
    "abs",
    "negative",
    "exp",
    "log",
    "log2",
    "log10",
    "log1p",
    "expm1",
    "sqrt",
    "rsqrt",
    "cbrt",
    "rcbrt",
    "square",
    "reciprocal",
    "sin",
    "cos",
    "tan",
    "arcsin",
    "arccos",
    "arctan",
    "sinh",
    "cosh",
    "tanh",
    "arcsinh",
    "arccosh",
    "arctanh",
    "degrees",
    "radians",
    "erf",
    "sign",
    "ceil",
    "floor",
    "trunc",
    "fix",
    "round",
    "rint",
    "relu",
    "sigmoid",
    "softsign",
    "logical_not",
    "identity",
    "BlockGrad",
    "make_loss",
    "hard_sigmoid",
    "softmin",
]
CHOICES = [
    "equal",
    "not_equal",
    "greater",
    "greater_equal",
    "lesser",
    "lesser_equal",
    "logical_and",
    "logical_or",
    "logical_xor",
]
TWO = [
    "add",
    "sub",
    "mul",
    "div",
    "mod",
    "power",
    "maximum",
    "minimum",
    "hypot",
    *CHOICES,
]


def of_one(name: str) -> Case:
    given = {"log1p": UNIT, "arccosh": Given(ROWS, 1.1, 4), "logical_not": WHOLE}.get(
        name, POSITIVE if name in SPECIAL else UNIT if name.startswith("arc") else Given(ROWS)
    )
    return case(f"one-{name}", getattr(S, name), given)


def of_two(name: str) -> Case:
    is_choice = name in CHOICES
    given = WHOLE if is_choice else POSITIVE if name == "power" else Given(ROWS)
    other = given._replace(shape=("n", 1, 4), low=given.low + (0 if is_choice else 0.05))
    return case(f"two-{name}", getattr(S, f"broadcast_{name}"), given, other)


def scalar(name: str, number: float, given: Given = PLAIN) -> Case:
    return case(f"scalar{name}{number}", lambda x: S._internal.__dict__[name](x, scalar=number), given)


def leaky(kind: str, *more: tuple[str, float], shape: tuple[int | str, ...] = ("n", 3, 4, 5)) -> Case:
    label = "".join(f"-{key}{value}" for key, value in more)
    return case(f"leaky-{kind}{label}-{len(shape)}", lambda x: S.LeakyReLU(x, act_type=kind, **dict(more))[0], shape)


CASES: list[Case] = [
    *map(of_one, ONE),
    *map(of_two, TWO),
    case("far-rounded", lambda x: S.Group([S.round(x), S.rint(x)]), Given(ROWS, 2**23, 2**24, is_whole=True)),
    case("one-rounded", lambda x: S.Group([S.round(x), S.rint(x), S.fix(x)]), Given(ROWS, -3.5, 3.5)),
    case(
        "one-halves",
        lambda x: S.Group([S.round(x * 0.5), S.rint(x * 0.5), S.fix(x * 0.5), S.Cast(x * 0.5, dtype="int32")]),
        Given(ROWS, -7, 7, is_whole=True),
    ),
    case("one-near-zero", lambda x: S.Group([S.log1p(x * 1e-6), S.expm1(x * 1e-6), S.log1p(S.abs(x) * 1e9)]), ROWS),
    *(
        scalar(f"_{name}_scalar", 1.7)
        for name in ["plus", "minus", "rminus", "mul", "div", "rdiv", "maximum", "minimum", "hypot"]
    ),
    *(scalar(f"_{name}_scalar", 1.7, POSITIVE) for name in ("power", "rpower", "mod", "rmod")),
    *(scalar(f"_{name}_scalar", number) for name in ("mod", "rmod") for number in (-1.3, 0.7)),
    scalar("_power_scalar", 2.0),
    *(scalar(f"_{name}_scalar", 1.0, WHOLE) for name in CHOICES),
    scalar("_plus_scalar", 3.0, Given(ROWS, -5, 5, "int32")),
    scalar("_mul_scalar", 0.5, Given(ROWS, -5, 5, "int32")),
    scalar("_div_scalar", 2.0, Given(ROWS, -5, 5, "int32")),
    *(
        scalar(f"_{name}_scalar", 0.5, Given(ROWS, -1, 1, "int32"))
        for name in ("lesser", "lesser_equal", "equal", "maximum")
    ),
    scalar("_greater_scalar", 0.5, Given(ROWS, -5, 5, "int32")),
    *(
        case(
            f"whole-{kind}",
            lambda x: S.Group(
                [getattr(S, name)(x) for name in ("sqrt", "exp", "cbrt", "log1p", "ceil", "round", "fix", "square")]
            ),
            Given(ROWS, 0, 4, kind),
        )
        for kind in ("int32", "int64", "uint8")
    ),
    case(
        "whole-two",
        lambda x, y: S.Group([S.broadcast_hypot(x, y), S.broadcast_power(x, y), S.broadcast_mod(x, y)]),
        Given(ROWS, 0, 4, "int32"),
        Given(("n", 1, 4), 0, 3, "int32"),
    ),
    case("two-rows", lambda x, y: S.elemwise_add(x, y) * S.elemwise_sub(x, y), ROWS, ROWS),
    case("add-n", lambda x, y: S.add_n(x, y, x), ROWS, ROWS),
    case("clip", lambda x: S.clip(x, -0.5, 0.7), ROWS),
    case("smooth-l1", lambda x: S.Group([S.smooth_l1(x, scalar=1.0), S.smooth_l1(x, scalar=3.0)]), ROWS),
    case("div-sqrt-dim", S.contrib.div_sqrt_dim, ROWS),
    case("where", S.where, WHOLE, ROWS, ROWS),
    case("where-rows", S.where, Given(("n",), 0, 1, is_whole=True), ROWS, ROWS),
    case(
        "cast",
        lambda x: S.Group([S.Cast(x, dtype=each) for each in ("int32", "float64", "float16", "uint8")]),
        POSITIVE,
    ),
    *(
        case(f"activation-{kind}", lambda x, kind=kind: S.Activation(x, act_type=kind), Given(ROWS, -30, 30))
        for kind in ("relu", "sigmoid", "tanh", "softrelu", "softsign")
    ),
    leaky("leaky"),
    leaky("leaky", ("slope", 0.1)),
    leaky("elu"),
    leaky("elu", ("slope", 1.3)),
    leaky("selu"),
    leaky("gelu"),
    leaky("rrelu"),
    leaky("rrelu", ("lower_bound", 0.1), ("upper_bound", 0.2)),
    leaky("prelu"),
    leaky("prelu", shape=("n", 4)),
    leaky("prelu", shape=("n", 4, 6)),
    case("prelu-one", lambda x: S.LeakyReLU(x, S.Variable("slope", shape=(1,)), act_type="prelu"), ("n", 3, 4, 5)),
    case("softmax", lambda x: S.Group([S.softmax(x), S.softmax(x, axis=1), S.log_softmax(x, axis=1)]), ROWS),
    case("softmax-warm", lambda x: S.Group([S.softmax(x, temperature=2.5), S.log_softmax(x, temperature=0.3)]), ROWS),
    case(
        "softmax-length",
        lambda x, y: S.softmax(x, y, use_length=True, axis=-1),
        ("n", 3, 6),
        Given(("n", 3), 1, 6, "int32"),
    ),
    case(
        "softmax-length-axis",
        lambda x, y: S.softmax(x, y, use_length=True, axis=1),
        ("n", 6, 3),
        Given(("n", 3), 1, 6, "int32"),
    ),
    case("softmax-instance", S.SoftmaxActivation, ("n", 3, 4, 2)),
    case("softmax-channel", lambda x: S.SoftmaxActivation(x, mode="channel"), ("n", 3, 4, 2)),
    case("softmax-output", lambda x: S.SoftmaxOutput(x, name="softmax"), ("n", 7)),
    case("softmax-output-wide", lambda x: S.SoftmaxOutput(x, name="softmax"), ("n", 3, 4)),
    case("softmax-output-four", lambda x: S.SoftmaxOutput(x, name="softmax"), ("n", 3, 4, 5)),
    case("softmax-output-flat", lambda x: S.SoftmaxOutput(x, name="softmax"), ("n", 1, 1, 5)),
    case("softmax-output-multi", lambda x: S.SoftmaxOutput(x, multi_output=True), ("n", 3, 4, 5)),
    case("softmax-output-kept", lambda x: S.SoftmaxOutput(x, preserve_shape=True), ("n", 3, 4)),
    case("linear-output", lambda x: S.LinearRegressionOutput(x * 2), ("n", 4)),
    case("mae-output", S.MAERegressionOutput, ("n", 4)),
    case("logistic-output", S.LogisticRegressionOutput, ("n", 4)),
    case("svm-output", S.SVMOutput, ("n", 4)),
    case("dropout", lambda x: S.Dropout(x, p=0.7) + 1, ROWS),
    case("dropout-always", lambda x: S.Dropout(x, p=0.7, mode="always"), ROWS),
]
