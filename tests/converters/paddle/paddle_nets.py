"""Nets of one layer each that paddle2onnx converts to something else, or not at all, with a question for each."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import paddle
from paddle import nn
from paddle.nn import functional


class Net(NamedTuple):
    """Layers, what is computed with them, and the question."""

    compute: Callable[..., Any]
    asked: list[Any]
    layers: Sequence[Any] = ()
    shapes: Sequence[Any] = ()
    """Free lengths are None; nothing: all but the last are free."""


random = np.random.default_rng(5)
IMAGE = random.normal(size=(2, 3, 13, 17)).astype(np.float32)
SERIES = random.normal(size=(2, 7, 6)).astype(np.float32)
FREE_IMAGE = [None, 3, None, None]
LENGTHS = np.array([7, 4])


def put(value: Any) -> Any:
    """Return a value with parts replaced."""
    value = value * 1
    value[:, 1] = 5.0
    value[:, 0:5:2] = value[:, 1:4]
    value[0, 1:3] = paddle.ones([2, 6])
    return value + 0


def nets() -> dict[str, Net]:
    """Return the nets, with weights at random."""
    paddle.seed(1)
    made = {
        "two layers both ways": Net(lambda net, x: net(x), [SERIES], [nn.LSTM(6, 5, 2, direction="bidirect")]),
        "gated with lengths": Net(
            lambda net, x, n: net(x, sequence_length=n), [SERIES, LENGTHS], [nn.GRU(6, 5, direction="bidirect")]
        ),
        "simple": Net(lambda net, x: net(x), [SERIES], [nn.SimpleRNN(6, 5, activation="relu")]),
        "adaptive mean": Net(lambda x: functional.adaptive_avg_pool2d(x, (5, 4)), [IMAGE], shapes=[FREE_IMAGE]),
        "adaptive largest": Net(lambda x: functional.adaptive_max_pool2d(x, (5, 4)), [IMAGE], shapes=[FREE_IMAGE]),
        "nearest by 1.7": Net(
            lambda x: functional.interpolate(x, scale_factor=1.7, mode="nearest"), [IMAGE], shapes=[FREE_IMAGE]
        ),
        "bilinear by 1.7": Net(
            lambda x: functional.interpolate(x, scale_factor=1.7, mode="bilinear"), [IMAGE], shapes=[FREE_IMAGE]
        ),
        "padding with a value": Net(lambda x: functional.pad(x, [1, 2, 3, 0], value=1.5), [IMAGE], shapes=[FREE_IMAGE]),
        "padding around": Net(lambda x: functional.pad(x, [1, 2, 0, 3], mode="circular"), [IMAGE], shapes=[FREE_IMAGE]),
        "parts set": Net(put, [SERIES], shapes=[[None, 7, 6]]),
        "several axes": Net(lambda net, x: net(x), [SERIES], [nn.LayerNorm([7, 6])], [[None, 7, 6]]),
        "regions": Net(
            lambda x, boxes, count: paddle.vision.ops.roi_align(x, boxes, count, 3, 1.0, 2, True),
            [IMAGE, np.array([[0, 0, 5, 5], [1, 2, 8, 7], [2, 2, 6, 6]], np.float32), np.array([1, 2], np.int32)],
            shapes=[FREE_IMAGE, [None, 4], [None]],
        ),
    }
    for name, compute in {
        "gelu by tanh": lambda x: functional.gelu(x * 3, approximate=True),
        "leaky": lambda x: functional.leaky_relu(x, 0.1),
        "soft": lambda x: functional.softplus(x * 10, beta=2, threshold=5),
        "largest size": lambda x: paddle.norm(x, p=np.inf, axis=1),
        "one mean": paddle.mean,
        "counted": lambda x: paddle.sum(x > 0, axis=1),
        "reversed": lambda x: paddle.flip(x, [1, 2]),
        "cut": paddle.trunc,
        "near zero": lambda x: paddle.expm1(x * 1e-3),
        "larger": lambda x: paddle.fmax(x, x[:, ::-1]),
        "as large": lambda x: paddle.expand_as(x[:, :1], x),
        "slopes": lambda x: functional.celu(x, 0.5),
        "filled": lambda x: paddle.masked_fill(x, x > 0, -1.0),
        "each once": lambda x: paddle.unique(
            paddle.round(x), return_index=True, return_inverse=True, return_counts=True
        ),
        "one number": lambda x: paddle.std(x[0, 0], axis=0),
    }.items():
        made[name] = Net(compute, [SERIES])
    return made
