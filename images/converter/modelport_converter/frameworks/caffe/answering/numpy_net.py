"""A net by numpy: what answers where OpenCV computes otherwise than Caffe, or not at all. Every layer that converts is here."""

from collections.abc import Callable
from typing import Any

import numpy as np

from modelport.verification.arrays import Array, Tensors
from modelport_converter.frameworks.caffe.answering import detections, numbers, windows
from modelport_converter.frameworks.caffe.layers import convolving, detecting, elementwise, shaping
from modelport_converter.frameworks.caffe.layers.net import Net

KERNELS: dict[type, Callable[..., Any]] = {
    convolving.Convolution: windows.convolve,
    convolving.InnerProduct: windows.multiply,
    convolving.Embed: lambda layer, x: layer.table[x.astype(np.int64)],
    convolving.Pooling: windows.pool,
    convolving.LocalResponse: windows.respond,
    elementwise.Unary: numbers.apply,
    elementwise.Slopes: numbers.slope,
    elementwise.Affine: numbers.scale,
    elementwise.Combine: numbers.combine,
    elementwise.Eltwise: numbers.eltwise,
    elementwise.Axpy: numbers.axpy,
    shaping.Concat: numbers.concatenate,
    shaping.Slice: numbers.pieces,
    shaping.Reshape: numbers.reshape,
    shaping.Permute: lambda layer, x: x.transpose(layer.order),
    shaping.Crop: lambda layer, x, _: numbers.crop(layer, x),
    shaping.Tile: numbers.tile,
    shaping.Shuffle: numbers.shuffle,
    shaping.Resize: numbers.resize,
    shaping.Repeat: lambda layer, x: x.repeat(layer.times, 2).repeat(layer.times, 3),
    shaping.Softmax: numbers.softmax,
    shaping.ArgMax: numbers.argmax,
    shaping.Reduction: numbers.reduced,
    detecting.Normalise: numbers.normalise,
    detecting.MeanVariance: numbers.centre,
    detecting.Priors: lambda layer, *_: layer.values,
    detecting.Detect: detections.detect,
}


def run_net(net: Net, tensors: Tensors) -> Tensors:
    """Return the answers, computed in the type that the inputs have."""
    values: dict[str, Array] = dict(tensors)
    kind = next(iter(tensors.values())).dtype
    with np.errstate(all="ignore"):
        for step in net.steps:
            made = KERNELS[type(step.operator)](step.operator, *(values[each] for each in step.bottoms))
            pieces = numbers.as_list(made)
            pieces = pieces * len(step.tops) if len(pieces) == 1 else pieces
            values |= {name: piece.astype(kind, copy=False) for name, piece in zip(step.tops, pieces, strict=True)}
    return {name: np.array(values[name], order="C") for name in net.outputs}
