"""Layers with weights, pooling, normalisation, recurrent layers."""

from typing import Any

import mxnet as mx
from operator_cases import Case, Given, case

S = mx.sym
IMAGE = ("n", 4, 9, 8)


def pool(label: str, shape: tuple[int | str, ...] = IMAGE, **more: Any) -> Case:
    return case(f"pool-{label}", lambda x: S.Pooling(x, **more), shape)


def recurrent(mode: str, layers: int, both: bool) -> Case:
    def make(x: Any) -> Any:
        states = [S.Variable("state", shape=(layers * (1 + both), 1, 5))]
        if mode == "lstm":
            states.append(S.Variable("state_cell", shape=(layers * (1 + both), 1, 5)))
        return S.Group(
            list(
                S.RNN(
                    x, S.Variable("parameters"), *[S.broadcast_axis(each, axis=1, size=3) for each in states],
                    mode=mode, state_size=5, num_layers=layers, bidirectional=both, state_outputs=True, name="rnn",
                )
            )
        )  # fmt: skip

    return case(f"rnn-{mode}-{layers}-{both}", make, ("t", 3, 6))


def of_states(x: Any, y: Any, z: Any) -> Any:
    return S.Group(
        list(S.RNN(x, S.Variable("p"), y, z, mode="lstm", state_size=5, num_layers=2, state_outputs=True, name="rnn"))
    )


def begun(x: Any) -> Any:
    """A cell of mx.rnn, unrolled: its first state is zeros of a length that MXNet finds."""
    cell = mx.rnn.LSTMCell(6, prefix="lstm_")
    outputs, states = cell.unroll(4, inputs=x, layout="NTC", merge_outputs=True)
    return S.Group([outputs, *states])


def fused(x: Any) -> Any:
    cell = mx.rnn.FusedRNNCell(6, num_layers=2, mode="gru", bidirectional=True, prefix="gru_")
    return cell.unroll(4, inputs=x, layout="NTC", merge_outputs=True)[0]


CASES: list[Case] = [
    case("dense", lambda x: S.FullyConnected(x, num_hidden=5), IMAGE),
    case("dense-rows", lambda x: S.FullyConnected(x, num_hidden=5, no_bias=True), ("n", 6)),
    case("dense-last", lambda x: S.FullyConnected(x, num_hidden=5, flatten=False), ("n", "t", 6)),
    case("dense-last-unbiased", lambda x: S.FullyConnected(x, num_hidden=5, flatten=False, no_bias=True), ("n", 3, 6)),
    case("conv", lambda x: S.Convolution(x, kernel=(3, 2), num_filter=6), IMAGE),
    case(
        "conv-all",
        lambda x: S.Convolution(
            x, kernel=(3, 2), stride=(2, 1), dilate=(1, 2), pad=(1, 2), num_filter=6, num_group=2, no_bias=True
        ),
        ("n", 4, "t", 8),
    ),
    case("conv-1", lambda x: S.Convolution(x, kernel=(3,), num_filter=6, pad=(1,)), ("n", 4, "t")),
    case("conv-3", lambda x: S.Convolution(x, kernel=(2, 3, 2), num_filter=3), ("n", 2, 4, 5, 6)),
    case("conv-depthwise", lambda x: S.Convolution(x, kernel=(3, 3), num_filter=4, num_group=4), IMAGE),
    case("deconv", lambda x: S.Deconvolution(x, kernel=(3, 3), num_filter=5), IMAGE),
    case("deconv-biased", lambda x: S.Deconvolution(x, kernel=(3, 3), num_filter=5, no_bias=False), IMAGE),
    case(
        "deconv-all",
        lambda x: S.Deconvolution(
            x, kernel=(4, 3), stride=(3, 2), pad=(1, 0), adj=(2, 1), num_filter=6, num_group=2, no_bias=False
        ),
        IMAGE,
    ),
    case(
        "deconv-adj",
        lambda x: S.Deconvolution(x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), adj=(1, 1), num_filter=2),
        IMAGE,
    ),
    case(
        "deconv-target",
        lambda x: S.Deconvolution(x, kernel=(4, 4), stride=(2, 2), target_shape=(17, 16), num_filter=2),
        IMAGE,
    ),
    case(
        "deconv-target-odd",
        lambda x: S.Deconvolution(x, kernel=(5, 5), stride=(2, 2), target_shape=(18, 17), num_filter=2),
        IMAGE,
    ),
    case("deconv-dilated", lambda x: S.Deconvolution(x, kernel=(3, 3), dilate=(2, 2), num_filter=2), IMAGE),
    case("deconv-1", lambda x: S.Deconvolution(x, kernel=(4,), stride=(2,), pad=(1,), num_filter=2), ("n", 3, 7)),
    *(
        pool(
            f"{kind}-{convention}-{include}",
            kernel=(3, 2),
            stride=(2, 2),
            pad=(1, 0),
            pool_type=kind,
            pooling_convention=convention,
            count_include_pad=include,
        )
        for kind in ("max", "avg")
        for convention in ("valid", "full")
        for include in (True, False)
    ),
    *(
        pool(
            f"sum-{convention}",
            kernel=(3, 3),
            stride=(2, 2),
            pad=(1, 1),
            pool_type="sum",
            pooling_convention=convention,
        )
        for convention in ("valid", "full")
    ),
    *(pool(f"lp-{power}", kernel=(2, 2), stride=(2, 2), pool_type="lp", p_value=power) for power in (1, 2, 3)),
    pool("full-exact", ("n", 3, 8, 8), kernel=(2, 2), stride=(2, 2), pool_type="avg", pooling_convention="full"),
    pool(
        "full-far", ("n", 3, 7, 7), kernel=(2, 2), stride=(3, 3), pad=(1, 1), pool_type="max", pooling_convention="full"
    ),
    pool("full-outside", kernel=(2, 2), stride=(2, 2), pad=(1, 1), pooling_convention="full"),
    pool("full-behind", kernel=(2, 2), stride=(3, 3), pool_type="avg", pooling_convention="full"),
    pool("free-sum", ("n", 3, "t", "t"), kernel=(3, 3), stride=(2, 2), pool_type="sum", pooling_convention="full"),
    pool("free-far", ("n", 3, "t", "t"), kernel=(2, 2), stride=(3, 3), pooling_convention="full"),
    pool(
        "free-inner",
        ("n", 3, "t", "t"),
        kernel=(2, 2),
        stride=(2, 2),
        pad=(1, 1),
        pool_type="avg",
        pooling_convention="full",
        count_include_pad=False,
    ),
    pool("full-wide", ("n", 3, 112, 112), kernel=(3, 3), stride=(2, 2), pool_type="max", pooling_convention="full"),
    pool("1", ("n", 3, "t"), kernel=(3,), stride=(2,), pool_type="avg", pad=(1,)),
    pool("3", ("n", 2, 6, 7, 8), kernel=(2, 3, 2), stride=(1, 2, 2), pool_type="avg"),
    pool("free", ("n", 3, "t", "t"), kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type="avg"),
    pool("free-full", ("n", 3, "t", "t"), kernel=(3, 3), stride=(2, 2), pooling_convention="full"),
    *(pool(f"global-{kind}", kernel=(2, 2), global_pool=True, pool_type=kind) for kind in ("max", "avg", "sum")),
    pool("global-lp", kernel=(2, 2), global_pool=True, pool_type="lp", p_value=2),
    pool(
        "free-avg",
        ("n", 3, "t", "t"),
        kernel=(3, 3),
        stride=(2, 2),
        pad=(1, 1),
        pool_type="avg",
        pooling_convention="full",
    ),
    pool("global-bare", global_pool=True, pool_type="avg"),
    pool("stride", kernel=(2, 2)),
    case(
        "adaptive",
        lambda x: S.Group(
            [S.contrib.AdaptiveAvgPooling2D(x, output_size=each) for each in ((1,), (3,), (4, 5), (2, 8))]
        ),
        IMAGE,
    ),
    case("norm-default", lambda x: S.BatchNorm(x, name="bn"), IMAGE, weights={"bn_gamma": (2, 3)}),
    case(
        "norm-free", lambda x: S.BatchNorm(x, name="bn", fix_gamma=False, eps=2e-5), IMAGE, weights={"bn_gamma": (2, 3)}
    ),
    case(
        "norm-small",
        lambda x: S.BatchNorm(x, name="bn", fix_gamma=False),
        IMAGE,
        weights={"bn_moving_var": (1e-5, 1e-3)},
    ),
    case("norm-rows", lambda x: S.BatchNorm(x, fix_gamma=False), ("n", 5)),
    case("norm-last", lambda x: S.BatchNorm(x, fix_gamma=False, axis=-1), IMAGE),
    case("norm-last-fixed", lambda x: S.BatchNorm(x, name="bn", axis=3), IMAGE, weights={"bn_gamma": (2, 3)}),
    case("norm-global", lambda x: S.BatchNorm(x, fix_gamma=False, use_global_stats=True), ("n", 3, "t")),
    case(
        "layer-norm",
        lambda x: S.Group([S.LayerNorm(x, name="a"), S.LayerNorm(x, name="b", axis=1, eps=1e-3)]),
        ("n", 6, 5),
    ),
    case(
        "instance-norm", lambda x: S.Group([S.InstanceNorm(x, name="a"), S.InstanceNorm(x, name="b", eps=0.1)]), IMAGE
    ),
    case("group-norm", lambda x: S.GroupNorm(x, num_groups=2), IMAGE),
    *(
        case(f"l2-{mode}", lambda x, mode=mode: S.L2Normalization(x, mode=mode), IMAGE)
        for mode in ("instance", "channel", "spatial")
    ),
    case(
        "lrn", lambda x: S.Group([S.LRN(x, nsize=3), S.LRN(x, nsize=5, alpha=0.5, beta=0.6, knorm=1.2)]), ("n", 7, 3, 4)
    ),
    *(
        recurrent(mode, layers, both)
        for mode in ("lstm", "gru", "rnn_tanh", "rnn_relu")
        for layers in (1, 2)
        for both in (False, True)
    ),
    case("rnn-states", of_states, ("t", "n", 4), (2, "n", 5), (2, "n", 5)),
    case("rnn-begun", begun, ("n", 4, 3)),
    case("rnn-fused", fused, ("n", 4, 3), weights={"gru_parameters": (-0.5, 0.5)}),
    case(
        "half-conv",
        lambda x: S.Cast(
            S.BatchNorm(S.Convolution(S.Cast(x, dtype="float16"), kernel=(3, 3), num_filter=2), fix_gamma=False),
            dtype="float32",
        ),
        IMAGE,
        kind="float16",
    ),
    case("dot", S.dot, ("n", 4), (4, 5)),
    case("dot-turned", lambda x, y: S.dot(x, y, transpose_b=True), ("n", 3, 4), (5, 4)),
    case("dot-turned-a", lambda x, y: S.dot(x, y, transpose_a=True), (4, "n"), (4, 5)),
    case("dot-many", S.dot, ("n", 3, 4), (4, 5, 2)),
    case("dot-rows", S.dot, (4,), (4,)),
    case("batch-dot", S.batch_dot, ("n", 3, 4), ("n", 4, 5)),
    case("batch-dot-a", lambda x, y: S.batch_dot(x, y, transpose_a=True), ("n", 4, 3), ("n", 4, 5)),
    case("batch-dot-b", lambda x, y: S.batch_dot(x, y, transpose_b=True), ("n", 3, 4), ("n", 5, 4)),
    case("gemm2", lambda x, y: S.linalg.gemm2(x, y, transpose_b=True, alpha=0.5), ("n", 2, 3, 4), ("n", 2, 5, 4)),
    case(
        "selfatt",
        lambda x: S.contrib.interleaved_matmul_selfatt_valatt(
            x, S.softmax(S.contrib.interleaved_matmul_selfatt_qk(x, heads=2)), heads=2
        ),
        ("t", "n", 2 * 3 * 5),
    ),
    case(
        "encdec",
        lambda x, y: S.contrib.interleaved_matmul_encdec_valatt(
            y, S.softmax(S.contrib.interleaved_matmul_encdec_qk(x, y, heads=2)), heads=2
        ),
        (6, "n", 2 * 5),
        ("t", "n", 2 * 2 * 5),
    ),
    case("embedding", lambda x: S.Embedding(x, input_dim=11, output_dim=4), Given(("n", "t"), 0, 10, is_whole=True)),
    case(
        "embedding-beyond", lambda x: S.Embedding(x, input_dim=11, output_dim=4), Given(("n", 3), -3, 14, is_whole=True)
    ),
    case(
        "folded",
        lambda x: S.broadcast_mul(
            x, S.Reshape(S.broadcast_add(S.Variable("w", shape=(3, 1)), S.ones((1, 4))), shape=(1, 3, 4))
        ),
        ("n", 3, 4),
    ),
]
