"""Shapes, parts, places, reductions and sequences."""

from typing import Any

import mxnet as mx
from operator_cases import Case, Given, case

from modelport.api.spec import DimensionRange

S = mx.sym
ROWS = ("n", 3, 4)
FOUR = ("n", 6, 4, 5)


def reshape(label: str, shape: tuple[int | str, ...], *codes: int, **more: Any) -> Case:
    return case(f"reshape-{label}", lambda x: S.Reshape(x, shape=codes, **more), shape)


def many(label: str, shape: Any, *makes: Any, **more: Any) -> Case:
    return case(label, lambda x: S.Group([make(x) for make in makes]), shape, **more)


def reduced(name: str) -> Case:
    call = getattr(S, name)
    return many(
        f"reduce-{name}", FOUR, lambda x: call(x, axis=1), lambda x: call(x, axis=(1, 3), keepdims=True),
        lambda x: call(x, axis=1, exclude=True), lambda x: call(x, axis=-1), call,
        lambda x: call(x, axis=(0, 2), exclude=True, keepdims=True),
    )  # fmt: skip


COUNTS = Given(("n",), 1, 5, is_whole=True)
CASES: list[Case] = [
    reshape("left", FOUR, -1, 20),
    reshape("keep", FOUR, 0, -1),
    reshape("keep-two", ("n", "t", 6), 0, 0, 2, 3),
    reshape("keep-left", ("n", "t", 6), 0, -1, 3),
    reshape("rest", ("n", "t", 6), -2),
    reshape("join", ("n", "t", 6), -3, 0),
    reshape("join-behind", ("n", "t", 6), 0, -3),
    reshape("join-rest", ("n", 4, "t", 6), -3, -2),
    reshape("split", ("n", "t", 6), 0, 0, -4, 2, -1),
    reshape("split-left", ("n", "t", 6), 0, 0, -4, -1, 3),
    reshape("split-rest", ("n", 6, "t"), 0, -4, 2, 3, -2),
    reshape("reverse", ("n", 6, "t"), -1, 0, reverse=True),
    reshape("reverse-two", ("n", 2, 3, "t"), 0, -1, 0, reverse=True),
    reshape("insert", ("n", "t", 6), 0, 0, 1, 6),
    case("reshape-like", S.reshape_like, ("n", 12), ROWS),
    case(
        "reshape-like-part",
        lambda x, y: S.reshape_like(x, y, lhs_begin=1, lhs_end=2, rhs_begin=1, rhs_end=3),
        ("n", 12, 2),
        ROWS,
    ),
    many("flatten", FOUR, S.Flatten),
    many(
        "transpose",
        FOUR,
        S.transpose,
        lambda x: S.transpose(x, axes=(0, 2, 3, 1)),
        lambda x: S.SwapAxis(x, dim1=1, dim2=3),
    ),
    many(
        "expand",
        ROWS,
        lambda x: S.expand_dims(x, axis=0),
        lambda x: S.expand_dims(x, axis=-1),
        lambda x: S.expand_dims(x, axis=2),
    ),
    many(
        "squeeze",
        ("n", 1, 4, 1),
        S.squeeze,
        lambda x: S.squeeze(x, axis=1),
        lambda x: S.squeeze(x, axis=(1, 3)),
        lambda x: S.squeeze(x, axis=()),
    ),
    case("squeeze-nothing", lambda x: S.squeeze(S.squeeze(x)) * 2, ("n", 3, "t")),
    case("squeeze-fixed", S.squeeze, (1, 3, 1, 4)),
    case("limits", lambda x: S.Reshape(x, shape=(0, -1, 2)), ("n", 6, "t"), dimensions={"t": DimensionRange(max=8)}),
    case("limits-batch", lambda x: S.Reshape(x, shape=(0, -1)), ROWS, dimensions={"n": DimensionRange(max=2)}),
    case(
        "concat",
        lambda x, y: S.Group(
            [S.Concat(x, y, dim=1), S.Concat(x, y, dim=-2), S.stack(x, x, axis=-1), S.stack(x, x, axis=1)]
        ),
        ROWS,
        ("n", 5, 4),
    ),
    many(
        "broadcast",
        ("n", 1, 4),
        lambda x: S.broadcast_axis(x, axis=1, size=3),
        lambda x: S.broadcast_to(x, shape=(0, 5, 0)),
    ),
    case(
        "broadcast-like",
        lambda x, y: S.Group([S.broadcast_like(x, y), S.broadcast_like(x, y, lhs_axes=(1,), rhs_axes=(-2,))]),
        ("n", 1, 4),
        ROWS,
    ),
    many(
        "tile",
        ROWS,
        lambda x: S.tile(x, reps=(1, 2, 3)),
        lambda x: S.tile(x, reps=(2,)),
        lambda x: S.tile(x, reps=(2, 1, 1, 2)),
    ),
    many(
        "repeat",
        ("n", 3, 4),
        lambda x: S.repeat(x, repeats=2, axis=1),
        lambda x: S.repeat(x, repeats=3, axis=0),
        lambda x: S.repeat(x, repeats=2, axis=-1),
        lambda x: S.repeat(x, repeats=2),
    ),
    many(
        "repeat-free", ("n", 3, "t"), lambda x: S.repeat(x, repeats=2, axis=1), lambda x: S.repeat(x, repeats=2, axis=2)
    ),
    many("reverse", FOUR, lambda x: S.reverse(x, axis=1), lambda x: S.flip(x, axis=(0, 3))),
    many(
        "pad",
        FOUR,
        *(
            lambda x, mode=mode: S.Pad(x, mode=mode, pad_width=(0, 0, 0, 0, 1, 2, 3, 1), constant_value=1.5)
            for mode in ("constant", "edge", "reflect")
        ),
    ),
    many("space", ("n", 8, 4, 6), lambda x: S.depth_to_space(x, 2), lambda x: S.space_to_depth(x, 2)),
    many(
        "slice",
        FOUR,
        lambda x: S.slice(x, begin=(None, 1), end=(None, 4)),
        lambda x: S.slice(x, begin=(None, -1, 3), end=(None, 0, None), step=(1, -2, -1)),
        lambda x: S.slice(x, begin=(0, 1, 0, None), end=(None, None, -1, None), step=(None, 2, None, -1)),
    ),
    many(
        "slice-axis",
        FOUR,
        lambda x: S.slice_axis(x, axis=1, begin=1, end=None),
        lambda x: S.slice_axis(x, axis=-1, begin=-3, end=-1),
        lambda x: S.slice_axis(x, axis=2, begin=0, end=2),
    ),
    case(
        "slice-like",
        lambda x, y: S.Group([S.slice_like(x, y, axes=(1, -1)), S.slice_like(x, y, axes=(2, 3))]),
        FOUR,
        ("n", 3, 2, 2),
    ),
    case("slice-like-free", lambda x, y: S.slice_like(x, y, axes=(1,)), (1, 40, 3), ("n", "t", 3)),
    many(
        "split",
        FOUR,
        *(lambda x, n=n: S.SliceChannel(x, num_outputs=3, axis=1)[n] for n in range(3)),
        lambda x: S.SliceChannel(x, num_outputs=4, axis=2, squeeze_axis=True)[2],
        lambda x: S.split_v2(x, (2, 3), axis=1)[1],
        lambda x: S.split_v2(x, 5, axis=-1, squeeze_axis=True)[4],
    ),
    case(
        "crop",
        lambda x, y: S.Group(
            [
                S.Crop(x, y, num_args=2, offset=(1, 2)),
                S.Crop(x, y, num_args=2, center_crop=True),
                S.Crop(x, num_args=1, h_w=(2, 3), offset=(1, 1)),
            ]
        ),
        ("n", 2, 8, 9),
        ("n", 3, 4, 5),
    ),
    case(
        "take",
        lambda x, y: S.Group([S.take(x, y), S.take(x, y, axis=1, mode="wrap"), S.take(x, y, axis=-1)]),
        (7, 3, 4),
        Given(("n", 2), -9, 9, is_whole=True),
    ),
    case(
        "pick",
        lambda x, y: S.Group([S.pick(x, y), S.pick(x, y, keepdims=True), S.pick(x, y, mode="wrap")]),
        ("n", 5),
        Given(("n",), -3, 8, is_whole=True),
    ),
    case("pick-row", lambda x, y: S.pick(x, y, axis=0), (5,), Given((1,), 0, 4, is_whole=True)),
    case("pick-axis", lambda x, y: S.pick(x, y, axis=1), ("n", 5, 3), Given(("n", 3), 0, 4, is_whole=True)),
    case("batch-take", S.batch_take, ("n", 5), Given(("n",), 0, 4, "int32")),
    case("gather-nd", S.gather_nd, (4, 4, 3), Given((2, "n"), 0, 3, is_whole=True)),
    many(
        "one-hot",
        Given(("n", 3), -2, 6, is_whole=True),
        lambda x: S.one_hot(x, depth=5),
        lambda x: S.one_hot(x, depth=5, on_value=3, off_value=-1, dtype="int32"),
        lambda x: S.one_hot(x, depth=5, off_value=0.5, dtype="float64"),
    ),
    case(
        "mask",
        lambda x, y: S.Group(
            [
                S.SequenceMask(x, y, use_sequence_length=True),
                S.SequenceMask(x, y, use_sequence_length=True, value=-7),
                S.SequenceMask(x),
            ]
        ),
        (5, "n", 3),
        COUNTS,
    ),
    case(
        "mask-axis",
        lambda x, y: S.SequenceMask(x, y, use_sequence_length=True, axis=1, value=2),
        ("n", 5, 3, 2),
        COUNTS,
    ),
    case("mask-rows", lambda x, y: S.SequenceMask(x, y, use_sequence_length=True), (5, "n"), COUNTS),
    case(
        "last",
        lambda x, y: S.Group([S.SequenceLast(x, y, use_sequence_length=True), S.SequenceLast(x)]),
        (5, "n", 3),
        COUNTS,
    ),
    case(
        "last-axis",
        lambda x, y: S.Group([S.SequenceLast(x, y, use_sequence_length=True, axis=1), S.SequenceLast(x, axis=1)]),
        ("n", 5, 3, 2),
        COUNTS,
    ),
    case(
        "sequence-reverse",
        lambda x, y: S.Group([S.SequenceReverse(x, y, use_sequence_length=True), S.SequenceReverse(x)]),
        (5, "n", 3),
        COUNTS,
    ),
    *map(reduced, ("sum", "mean", "prod", "max", "min", "nansum", "nanprod")),
    many("reduce-whole", Given(FOUR, -3, 3, "int32"), lambda x: S.nansum(x, axis=1), lambda x: S.nanprod(x, axis=3)),
    many(
        "norm",
        FOUR,
        S.norm,
        lambda x: S.norm(x, axis=1),
        lambda x: S.norm(x, ord=1, axis=(1, 2), keepdims=True),
        lambda x: S.norm(x, axis=-1, keepdims=True),
    ),
    many(
        "arg",
        FOUR,
        lambda x: S.argmax(x, axis=1),
        lambda x: S.argmin(x, axis=-1, keepdims=True),
        S.argmax,
        lambda x: S.argmax_channel(S.Reshape(x, shape=(0, -1))),
    ),
    many(
        "topk",
        FOUR,
        lambda x: S.topk(x, k=2),
        lambda x: S.topk(x, axis=1, k=3, ret_typ="value"),
        lambda x: S.topk(x, k=2, ret_typ="mask"),
        lambda x: S.topk(x, axis=None, k=3, ret_typ="mask", dtype="int32"),
        lambda x: S.topk(x, axis=2, k=2, is_ascend=True, dtype="int32"),
        lambda x: S.Group(list(S.topk(x, k=3, ret_typ="both"))),
    ),
    many(
        "sort",
        FOUR,
        S.sort,
        lambda x: S.sort(x, axis=1, is_ascend=False),
        S.argsort,
        lambda x: S.argsort(x, axis=1, is_ascend=False, dtype="int32"),
    ),
    many("cumsum", ROWS, lambda x: S.cumsum(x, axis=1), S.cumsum),
    many("like", ROWS, S.zeros_like, lambda x: S.ones_like(x) * 2, S.shape_array, S.size_array),
    many(
        "arange-like",
        ("n", "t", 4),
        lambda x: S.contrib.arange_like(x, axis=1),
        lambda x: S.contrib.arange_like(x, start=2, step=0.5),
        lambda x: S.contrib.arange_like(x, axis=-1, start=-1),
    ),
    case(
        "arange",
        lambda x: (
            S.broadcast_add(x, S.arange(1, 9, 2, repeat=1))
            + S.sum(S.arange(3, repeat=2)).reshape((1, 1, 1)).broadcast_like(x)
        ),
        ROWS,
    ),
]
