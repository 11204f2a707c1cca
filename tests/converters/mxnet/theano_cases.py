"""Each operator of Theano in small graphs with random numbers: built in Theano's own words, in the environment of its image."""

import numpy as np
import theano
import theano.tensor as tt
from theano.ifelse import ifelse
from theano.tensor.nnet import abstract_conv, bn, neighbours
from theano.tensor.signal.pool import pool_2d, pool_3d

RANDOM = np.random.default_rng(15)
CASES = {}


def f4(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def whole(high, *shape, dtype="int64"):
    return RANDOM.integers(0, high, shape).astype(dtype)


def shared(*shape):
    return theano.shared(f4(*shape))


def case(name, inputs, outputs, *arrays):
    """Note a graph with the arrays that it is asked."""
    assert name not in CASES
    CASES[name] = (list(inputs), list(outputs), [np.asarray(each) for each in arrays])


def scalars():
    x, y = tt.fmatrices("x", "y")
    plain = {
        "abs": abs, "ceil": tt.ceil, "cos": tt.cos, "cosh": tt.cosh, "erf": tt.erf, "erfc": tt.erfc, "exp": tt.exp,
        "exp2": tt.exp2, "expm1": tt.expm1, "floor": tt.floor, "inv": tt.inv, "neg": lambda v: -v,
        "round": lambda v: tt.round(v, mode="half_to_even"), "away": lambda v: tt.round(v, mode="half_away_from_zero"),
        "sgn": tt.sgn, "sin": tt.sin, "sinh": tt.sinh, "sqr": tt.sqr, "tan": tt.tan, "tanh": tt.tanh, "trunc": tt.trunc,
        "sigmoid": tt.nnet.sigmoid, "fast": tt.nnet.ultra_fast_sigmoid, "hard": tt.nnet.hard_sigmoid,
        "softplus": tt.nnet.softplus, "relu": tt.nnet.relu, "leaky": lambda v: tt.nnet.relu(v, 0.1), "elu": tt.nnet.elu,
        "selu": tt.nnet.selu, "softsign": tt.nnet.softsign, "deg": tt.deg2rad, "rad": tt.rad2deg, "arctan": tt.arctan,
        "arcsinh": tt.arcsinh, "isnan": tt.isnan, "isinf": tt.isinf,
    }  # fmt: skip
    case("elements", [x], [make(x) for make in plain.values()], np.round(f4(5, 7) * 4, 1))
    positive = {"log": tt.log, "log2": tt.log2, "log10": tt.log10, "log1p": tt.log1p, "sqrt": tt.sqrt, "arccosh": lambda v: tt.arccosh(v + 1)}  # fmt: skip
    case("positive", [x], [make(x) for make in positive.values()], np.abs(f4(5, 7)) + 0.01)
    unit = [tt.arcsin(x), tt.arccos(x), tt.arctanh(x), tt.log1p(x * 1e-6), tt.expm1(x * 1e-6)]
    case("unit", [x], unit, np.tanh(f4(5, 7)))
    two = [
        x + y, x - y, x * y, x / y, x // y, x % y, tt.maximum(x, y), tt.minimum(x, y), tt.pow(abs(x), y), tt.arctan2(x, y),
        tt.lt(x, y), tt.gt(x, y), tt.le(x, y), tt.ge(x, y), tt.eq(x, y), tt.neq(x, y), tt.switch(x > y, x, y),
        tt.clip(x, -0.5, 0.7), tt.and_(x > 0, y > 0), tt.or_(x > 0, y > 0), tt.xor(x > 0, y > 0), tt.invert(x > 0),
        tt.fill(x, 3), tt.zeros_like(x), tt.ones_like(x) * y,
        x * (y > 0), tt.cast(x * 3, "int32"), tt.cast(x, "int8"), tt.cast(x > 0, "float32"), tt.xlogx.xlogx(abs(x)),
        tt.isclose(x, y),
    ]  # fmt: skip
    a, b = np.round(f4(4, 6) * 3, 1), np.round(f4(4, 6) * 3, 1)
    b[b == 0] = 1.5
    case("pairs", [x, y], two, a, b)
    i, j = tt.lmatrices("i", "j")
    integers = [
        i + j,
        i - j,
        i * j,
        i // j,
        i % j,
        i / j,
        tt.sqr(i),
        -i,
        abs(i),
        tt.sgn(i),
        tt.invert(i),
        i > j,
        tt.cast(i, "float32") + j,
    ]
    n = RANDOM.integers(-9, 9, (4, 6))
    case("integers", [i, j], integers, n, np.where(whole(2, 4, 6), 1, -1) * (whole(5, 4, 6) + 1))
    k, b = tt.bmatrix("k"), tt.matrix("b", dtype="bool")
    small = [
        k + k,
        k * k,
        k - 1,
        k > 0,
        tt.maximum(k, 3),
        tt.eq(k, 3),
        k + 1.5,
        b * k,
        b + b,
        b * b,
        tt.switch(b, k, 0),
        tt.sum(b),
        tt.sum(k),
        tt.any(b),
        tt.all(b, axis=0),
        tt.max(k, axis=1),
        tt.mean(k),
    ]
    case("bytes", [k, b], small, RANDOM.integers(-100, 100, (3, 5)).astype("int8"), whole(2, 3, 5).astype(bool))
    half = tt.matrix("h", dtype="float16")
    case(
        "half",
        [half],
        [
            half + 1,
            half * half,
            tt.exp(half),
            tt.sum(half, axis=0),
            half > 0,
            tt.inc_subtensor(half[1:, 1], np.float16(0.5)),
        ],
        f4(3, 4).astype("float16"),
    )
    d = tt.dmatrix("d")
    case(
        "double",
        [d],
        [tt.exp(d) + 1, tt.dot(d, d.T), tt.nnet.softmax(d), tt.sqrt(abs(d)), d.sum()],
        RANDOM.standard_normal((3, 4)),
    )
    s = tt.fscalar("s")
    case("scalar", [s, x], [s * 2, s + x, tt.sqrt(abs(s)) * x], np.float32(1.3), f4(2, 3))
    inner = [theano.scalar.float32(), theano.scalar.float32()]
    composite = theano.scalar.Composite(inner, [theano.scalar.tanh(inner[0] + inner[1]) * 2, inner[0] - inner[1]])
    case("composite", [x, y], tt.Elemwise(composite)(x, y), f4(3, 4), f4(3, 4))


def shapes():
    x, z, v = tt.fmatrix("x"), tt.ftensor3("z"), tt.fvector("v")
    out = [
        x.dimshuffle(1, 0), x.dimshuffle("x", 0, "x", 1), x.T + v.dimshuffle("x", 0), x.reshape((x.shape[0], 2, -1)),
        x.reshape((-1,)), x.flatten(), x.reshape((x.shape[1], x.shape[0])), x.reshape((2, x.shape[0], 3), ndim=3),
        tt.concatenate([x, x * 2], axis=1), tt.stack([x, x + 1]), tt.stack([x, x + 1], axis=2), tt.join(0, x, x),
        *tt.split(x, [2, 4], 2, axis=1), tt.alloc(1.5, x.shape[0], 3), tt.zeros((x.shape[1], 2)), tt.ones_like(x), x.shape,
        x.shape[0], tt.arange(x.shape[0]), tt.arange(1, 7, 2), tt.eye(4, 5, 1), tt.eye(x.shape[0]), tt.repeat(x, 3, axis=1),
        tt.repeat(x, 2, axis=0), tt.repeat(x, 2), tt.repeat(x, np.array([1, 0, 2, 1, 1, 3]), axis=1), tt.tile(x, (2, 3)),
        tt.shape_padleft(x), tt.shape_padaxis(x, 1), tt.squeeze(x.dimshuffle(0, "x", 1)), tt.diag(x[:4, :4]), tt.tril(x), tt.triu(x),
        tt.as_tensor_variable([x.shape[0], 3, 5]), tt.unbroadcast(x[:1], 0) + 1, tt.patternbroadcast(x[:1], (True, False)),
        x[:, None, :] * x[None, :1, :], tt.outer(v, v), tt.roll(x, 2, axis=1), x[:, ::-1], tt.swapaxes(x, 0, 1),
    ]  # fmt: skip
    case("shapes", [x, v], out, f4(4, 6), f4(4))
    case("rank 3", [z], [z.flatten(2), z.dimshuffle(2, 0, 1), z.reshape((-1, z.shape[2])), z.sum(axis=(0, 2)),
                         tt.concatenate([z, z], axis=-1), z.mean(axis=1, keepdims=True), tt.batched_dot(z, z.dimshuffle(0, 2, 1)),
                         tt.batched_dot(z, z[:, 0]), tt.tensordot(z, z, axes=[[2], [2]]), z.norm(2, axis=1)], f4(2, 3, 4))  # fmt: skip


def parts():
    x, i, j = tt.fmatrix("x"), tt.lvector("i"), tt.lscalar("j")
    out = [
        x[1], x[-1], x[j], x[-j], x[:, 2], x[:, -1], x[1:3], x[:-1], x[-2:], x[::2], x[::-1], x[::-2], x[3:0:-1], x[:, j:],
        x[:j], x[j : j + 2, 1:4], x[1, 2], x[j, j], x[i], x[:, i], x[i, i], x[i, 1:3], x[-i], x[i].sum(axis=1),
        x[tt.arange(3), i], x[i.dimshuffle(0, "x"), i.dimshuffle("x", 0)], tt.take(x, i, axis=1),
    ]  # fmt: skip
    case("parts", [x, i, j], out, f4(5, 6), [0, 3, 1], 2)
    y = tt.fmatrix("y")
    changed = [
        tt.set_subtensor(x[1:3], 0), tt.set_subtensor(x[:, 2], y[:, 0]), tt.inc_subtensor(x[::2], 1.5),
        tt.set_subtensor(x[:, 1:4], y[:, :3]), tt.inc_subtensor(x[:, 1:4], y[:, :3]), tt.set_subtensor(x[i], y[:3]),
        tt.inc_subtensor(x[i], y[:3]), tt.inc_subtensor(x[[0, 0, 1]], y[:3]), tt.set_subtensor(x[j, j], 7),
        tt.set_subtensor(x[:], 2), tt.inc_subtensor(x[:], y), tt.set_subtensor(x[tt.arange(3), i], 9),
        tt.inc_subtensor(x[tt.arange(3), i], y[:3, 0]), tt.set_subtensor(tt.zeros((x.shape[0] + 2, x.shape[1] + 4))[1:-1, 2:-2], x),
        tt.set_subtensor(x[:, i], 0), tt.extra_ops.to_one_hot(i, 5), tt.set_subtensor(x[::-1, 1:3], y[:, :2]),
    ]  # fmt: skip
    case("changed parts", [x, y, i, j], changed, f4(5, 6), f4(5, 6), [0, 3, 1], 2)


def rows():
    x, z = tt.fmatrix("x"), tt.ftensor3("z")
    out = [
        x.sum(), x.sum(axis=0), x.sum(axis=1, keepdims=True), x.mean(), x.mean(axis=1), x.prod(axis=1), x.max(), x.max(axis=0),
        x.min(axis=1), x.min(), x.argmax(axis=1), x.argmin(axis=0), x.argmax(), x.var(axis=0), x.std(axis=1), tt.any(x > 1, axis=1),
        tt.all(x > -1, axis=0), *tt.max_and_argmax(x, axis=1), tt.cumsum(x, axis=0), tt.cumsum(x), tt.sort(x, axis=0), tt.argsort(x, axis=1),
        tt.sum(x > 0), tt.sum(x, dtype="float64"), tt.sum(x > 0, axis=1, dtype="float32"), tt.ptp(x, axis=0),
    ]  # fmt: skip
    case("rows", [x], out, f4(5, 6))
    case(
        "rows of 3 axes",
        [z],
        [z.max(axis=(0, 2)), tt.argmax(z, axis=2), *tt.max_and_argmax(z, axis=(1, 2)), z.sum(axis=(-1,)), tt.sort(z)],
        f4(3, 4, 5),
    )


def dense():
    x, v, labels = tt.fmatrix("x"), tt.fvector("v"), tt.lvector("labels")
    w, b = shared(6, 5), shared(5)
    y = tt.dot(x, w) + b
    p = tt.nnet.softmax(y)
    case("dense", [x, v, labels], [
        y, p, tt.nnet.logsoftmax(y), tt.dot(v, w), tt.dot(x, w[:, 0]), tt.dot(v, v), tt.nnet.categorical_crossentropy(p, labels),
        tt.mean(-tt.log(p)[tt.arange(labels.shape[0]), labels]), tt.nnet.softmax(v), tt.nnet.binary_crossentropy(p, 0.3),
        tt.nnet.crossentropy_softmax_1hot_with_bias(y, b, labels)[0], *tt.nnet.crossentropy_softmax_argmax_1hot_with_bias(y, b, labels),
        tt.nnet.softmax_with_bias(y, b), theano.tensor.blas.gemm_no_inplace(y, np.float32(0.5), x, w, np.float32(2)),
        theano.tensor.blas._dot22(x, w), theano.tensor.blas.ger(x[:, :5], np.float32(0.3), x[:, 0], v[:5]),
        theano.tensor.blas.gemv_no_inplace(x[:, 0], np.float32(0.5), x, v, np.float32(2)), abs(x).norm(1), tt.dot(x, x.T),
    ], f4(4, 6), f4(6), [0, 4, 2, 2])  # fmt: skip


def convolutions():
    x = tt.ftensor4("x")
    for number, options in enumerate([
        {}, {"border_mode": "half"}, {"border_mode": "full"}, {"border_mode": (2, 1)}, {"border_mode": 1},
        {"border_mode": ((1, 2), (0, 3))}, {"subsample": (2, 3)}, {"filter_flip": False}, {"filter_dilation": (2, 1)},
        {"border_mode": "half", "filter_dilation": (2, 2)}, {"border_mode": "half", "subsample": (2, 1), "filter_flip": False},
    ]):  # fmt: skip
        case(f"convolution {number}", [x], [tt.nnet.conv2d(x, shared(4, 3, 3, 2), **options)], f4(2, 3, 11, 9))
    case("convolution of groups", [x], [tt.nnet.conv2d(x, shared(4, 2, 3, 2), num_groups=2),
                                        tt.nnet.conv2d(x, shared(4, 1, 3, 2), num_groups=4, filter_flip=False)], f4(2, 4, 8, 7))  # fmt: skip
    k = tt.ftensor4("k")
    case(
        "computed filters",
        [x, k],
        [tt.nnet.conv2d(x, k), tt.nnet.conv2d(x, k * 2, filter_flip=False)],
        f4(2, 3, 8, 7),
        f4(4, 3, 3, 2),
    )
    case(
        "old convolution",
        [x],
        [
            tt.nnet.conv.conv2d(x, shared(4, 3, 3, 2)),
            tt.nnet.conv.conv2d(x, shared(4, 3, 3, 2), border_mode="full", subsample=(2, 2)),
        ],
        f4(2, 3, 11, 9),
    )
    z = tt.TensorType("float32", (False,) * 5)("z")
    case(
        "convolution of volumes",
        [z],
        [
            tt.nnet.conv3d(z, shared(4, 3, 2, 3, 2), border_mode="half", subsample=(1, 2, 1)),
            tt.nnet.conv3d(z, shared(4, 3, 2, 3, 2), filter_flip=False),
        ],
        f4(2, 3, 5, 6, 7),
    )
    for number, (size, options) in enumerate([
        ((8, 6), {}), ((7, 6), {"border_mode": (1, 0), "subsample": (2, 2)}), ((17, 11), {"subsample": (3, 2)}),
        ((16, 10), {"subsample": (3, 2), "filter_flip": False}), ((6, 5), {"border_mode": "half"}), ((6, 4), {"border_mode": (1, 1), "filter_flip": False}),
        ((12, 8), {"border_mode": "full", "subsample": (2, 2)}),
    ]):  # fmt: skip
        w = shared(4, 3, 3, 2)
        how = [options.get("border_mode", "valid"), options.get("subsample", (1, 1))]
        probe = abstract_conv.get_conv_output_shape((2, 3, *size), (4, 3, 3, 2), *how)
        op = abstract_conv.AbstractConv2d_gradInputs(
            kshp=(4, 3, 3, 2), **{"border_mode": "valid", "subsample": (1, 1), **options}
        )
        case(f"transposed convolution {number}", [x], [op(w, x, list(size))], f4(*probe))
    images = [neighbours.images2neibs(x, (2, 2)), neighbours.images2neibs(x, (3, 2), (1, 2), mode="ignore_borders")]
    case("patches", [x], images, f4(2, 3, 6, 8))
    unit = [shared(1, 3, 1, 1), shared(1, 3, 1, 1), shared(1, 3, 1, 1), theano.shared(np.abs(f4(1, 3, 1, 1)))]
    unit = [tt.addbroadcast(each, 0, 2, 3) for each in unit]
    case(
        "batch normalisation",
        [x],
        [
            bn.batch_normalization_test(x, *unit, axes="spatial"),
            bn.batch_normalization_train(x, unit[0], unit[1], axes="spatial")[0],
            bn.batch_normalization(x, *unit[:3], tt.sqrt(unit[3] + 1e-4)),
        ],
        f4(2, 3, 6, 8),
    )


def pools():
    x = tt.ftensor4("x")
    for mode in ("max", "sum", "average_inc_pad", "average_exc_pad"):
        for number, (window, stride, pad, ignore) in enumerate([
            ((2, 2), None, (0, 0), True), ((2, 2), None, (0, 0), False), ((3, 2), (2, 1), (0, 0), False), ((3, 3), (2, 2), (1, 1), True),
            ((2, 3), (3, 4), (0, 0), False), ((2, 3), (1, 2), (1, 2), True), ((3, 3), (2, 2), (0, 0), False), ((4, 4), (3, 3), (0, 0), False),
        ]):  # fmt: skip
            out = pool_2d(x, window, ignore_border=ignore, stride=stride, pad=pad, mode=mode)
            case(f"pooling {mode} {number}", [x], [out], f4(2, 3, 9, 7))
        z, m = tt.TensorType("float32", (False,) * 5)("z"), tt.fmatrix("m")
        case(f"pooling of volumes {mode}", [z, m], [pool_3d(z, (2, 2, 3), ignore_border=True, mode=mode), pool_2d(m, (2, 2), ignore_border=False, mode=mode),
                                                    pool_2d(z, (2, 3), ignore_border=False, mode=mode)], f4(2, 3, 4, 5, 6), f4(5, 6))  # fmt: skip


def doubles():
    """What Theano computes in float64, its own default, and in whole numbers."""
    x, w = tt.dtensor4("x"), theano.shared(RANDOM.standard_normal((4, 3, 3, 2)))
    image = RANDOM.standard_normal((2, 3, 9, 7))
    case(
        "doubles convolved",
        [x],
        [tt.nnet.conv2d(x, w), tt.erf(x), tt.sinh(x), tt.nnet.softplus(x), x / (1 + abs(x)), tt.arctan(x)],
        image,
    )
    windows = [
        ((2, 3), None, (0, 0), True), ((3, 2), (2, 1), (0, 0), False), ((3, 3), (2, 2), (1, 1), True),
        ((1, 2), (3, 3), (0, 0), False), ((4, 4), (3, 3), (0, 0), False),
    ]  # fmt: skip
    modes = ("max", "sum", "average_inc_pad", "average_exc_pad")
    for dtype, limit in (
        ("float64", None),
        ("int32", 2**30),
        ("int64", 2**60),
        ("uint32", 2**32 - 1),
        ("int16", 2**15 - 1),
        ("uint8", 255),
    ):
        given = image if limit is None else RANDOM.integers(0 if dtype[0] == "u" else -limit, limit, image.shape)
        y, z = tt.TensorType(dtype, (False,) * 4)("y"), tt.TensorType(dtype, (False,) * 5)("z")
        for mode in modes:
            case(
                f"pooling {dtype} {mode}",
                [y],
                [
                    pool_2d(y, size, ignore_border=ignore, stride=step, pad=pad, mode=mode)
                    for size, step, pad, ignore in windows
                ],
                given,
            )
        case(
            f"pooling {dtype} volumes",
            [z],
            [pool_3d(z, (2, 2, 3), ignore_border=False, mode=mode) for mode in modes],
            given[:, None],
        )
    case(
        "patches of whole numbers",
        [y := tt.itensor4("y")],
        [neighbours.images2neibs(y, (3, 2), (2, 1), mode="ignore_borders")],
        RANDOM.integers(-(2**30), 2**30, image.shape),
    )


def loops():
    x, h0, n = tt.ftensor3("x"), tt.fmatrix("h0"), tt.lscalar("n")
    w, u = shared(4, 5), theano.shared(f4(5, 5) * np.float32(0.3))
    step = lambda xt, h, w, u: tt.tanh(tt.dot(xt, w) + tt.dot(h, u))  # noqa: E731
    for back in (False, True):
        out, _ = theano.scan(step, sequences=x, outputs_info=h0, non_sequences=[w, u], go_backwards=back)
        case(f"loop{' backwards' if back else ''}", [x, h0], [out, out[-1], out[::-1]], f4(7, 3, 4), f4(3, 5))
    out, _ = theano.scan(lambda h: tt.tanh(tt.dot(h, u)), outputs_info=h0, n_steps=n)
    case("loop of n steps", [h0, n], [out[-1]], f4(3, 5), 6)
    first = tt.ftensor3("first")
    out, _ = theano.scan(
        lambda a, b, c: tt.tanh(a + 0.5 * b - 0.2 * tt.dot(c, u)),
        outputs_info=[{"initial": first, "taps": [-3, -2, -1]}],
        n_steps=6,
    )
    case("loop with taps", [first], [out], f4(3, 2, 5))
    out, _ = theano.scan(
        lambda a, b, h: (tt.tanh(a - b + h), a.sum()),
        sequences=[{"input": x, "taps": [-1, 2]}],
        outputs_info=[x[0], None],
    )
    case("loop with taps of a sequence", [x], out, f4(8, 3, 4))
    out, _ = theano.scan(
        lambda xt: (xt * 2, xt.sum(axis=1), tt.arange(3) + tt.cast(xt[0, 0], "int64") * 0), sequences=x
    )
    case("map", [x], out, f4(4, 3, 4))
    out, _ = theano.scan(
        lambda h: (h * 2, theano.scan_module.until(h.sum() > 50)), outputs_info=tt.ones((3,)), n_steps=20
    )
    case("loop until", [h0], [out + h0[0, 0]], f4(1, 1))
    total, _ = theano.reduce(lambda xt, s: xt + s, sequences=x, outputs_info=tt.zeros_like(x[0]))
    case("reduce", [x], [total], f4(5, 3, 4))
    m = tt.fmatrix("m")
    outer, _ = theano.scan(
        lambda row: theano.scan(lambda v, s: v + 0.5 * s, sequences=row, outputs_info=tt.constant(np.float32(0)))[0],
        sequences=m,
    )
    case("nested loops", [m], [outer], f4(3, 5))
    c = tt.fmatrix("c")
    out, _ = theano.scan(lambda i, h: h + c[i], sequences=tt.arange(c.shape[0]), outputs_info=tt.zeros_like(c[0]))
    case("loop over numbers", [c], [out], f4(4, 5))
    flag = tt.lscalar("flag")
    case(
        "choice",
        [flag, c],
        [ifelse(tt.gt(flag, 0), c * 2, c + 1), *ifelse(flag, [c, c[0]], [c + 3, c[1]])],
        1,
        f4(3, 4),
    )
    case("other choice", [flag, c], [ifelse(tt.gt(flag, 0), c * 2, c + 1)], 0, f4(3, 4))
    table, words = shared(9, 4), tt.lmatrix("words")
    e = table[words.flatten()].reshape((words.shape[0], words.shape[1], 4))
    out, _ = theano.scan(
        step, sequences=e.dimshuffle(1, 0, 2), outputs_info=tt.zeros((words.shape[0], 5)), non_sequences=[w, u]
    )
    case(
        "words", [words], [tt.nnet.softmax(tt.dot(out[-1], shared(5, 3))), table[words], e.mean(axis=1)], whole(9, 3, 6)
    )


for build in (scalars, shapes, parts, rows, dense, convolutions, pools, doubles, loops):
    build()
