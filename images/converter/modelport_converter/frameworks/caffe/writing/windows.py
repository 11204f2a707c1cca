"""Windows and matrices in ONNX."""

from typing import Any

import numpy as np

from modelport_converter.frameworks.caffe.layers.base import numbers
from modelport_converter.frameworks.caffe.layers.convolving import (
    Convolution,
    Embed,
    InnerProduct,
    LocalResponse,
    Pooling,
)
from modelport_converter.frameworks.caffe.layers.net import Step
from modelport_converter.frameworks.caffe.writing.aligning import reshape
from modelport_converter.onnx_graphs.writing import GraphWriter


def write_convolution(graph: GraphWriter, step: Step, layer: Convolution) -> None:
    """Write Conv or ConvTranspose."""
    weights = [layer.weights] + ([layer.bias] if layer.bias is not None else [])
    graph.add(
        "ConvTranspose" if layer.is_transposed else "Conv",
        step.bottoms[0],
        *weights,
        out=step.tops[0],
        kernel_shape=layer.kernel,
        strides=layer.stride,
        pads=layer.pad * 2,
        dilations=layer.dilation,
        group=layer.group,
    )


def write_inner_product(graph: GraphWriter, step: Step, layer: InnerProduct) -> None:
    """Write Gemm on two axes, which runtimes are good at; on more, MatMul and Add."""
    (shape,), (value,), (out,) = step.shapes, step.bottoms, step.tops
    if layer.axis == 1:
        flat = value if len(shape) == 2 else graph.add("Flatten", value, axis=1)  # noqa: PLR2004
        bias = [] if layer.bias is None else [layer.bias]
        graph.add("Gemm", flat, layer.weights, *bias, out=out, transB=1)
        return
    flat = reshape(graph, value, shape, (*shape[: layer.axis], layer.weights.shape[1]))
    weights = layer.weights.T
    if layer.bias is None:
        graph.add("MatMul", flat, weights, out=out)
    else:
        graph.add("Add", graph.add("MatMul", flat, weights), layer.bias, out=out)


def write_embed(graph: GraphWriter, step: Step, layer: Embed) -> None:
    """Write Gather."""
    graph.add("Gather", layer.table, graph.cast(step.bottoms[0], np.int64), out=step.tops[0])


def write_pooling(graph: GraphWriter, step: Step, layer: Pooling) -> None:
    """Write MaxPool or AveragePool with the pads that give Caffe's lengths, so that nobody else rounds."""
    size = numbers(step.shapes[0][2:])
    ends = [
        max(0, (n - 1) * s + k - length - p)
        for n, s, k, length, p in zip(layer.lengths, layer.stride, layer.kernel, size, layer.pad, strict=True)
    ]
    window: dict[str, Any] = {"kernel_shape": layer.kernel, "strides": layer.stride, "pads": [*layer.pad, *ends]}
    value, out = step.bottoms[0], step.tops[0]
    if list(layer.kernel) == size and not any(layer.pad):
        # runtimes sum all of an image in another order, which rounds less
        graph.add("GlobalAveragePool" if layer.is_mean else "GlobalMaxPool", value, out=out)
        return
    if not layer.is_mean:
        graph.add("MaxPool", value, out=out, **window)
        return
    counts = _counts(layer, size)
    if (counts == np.prod(layer.kernel)).all():
        graph.add("AveragePool", value, out=out, count_include_pad=1, **window)
        return
    # a mean of fewer numbers where a window hangs over the padding
    mean = graph.add("AveragePool", value, count_include_pad=1, **window)
    graph.add("Mul", mean, (np.prod(layer.kernel) / counts).astype(np.float32), out=out)


def _counts(layer: Pooling, size: list[int]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return how many numbers each mean is of, [h, w]."""
    rows, columns = (
        [min(at * s + k, length + 2 * p) - at * s for at in range(n)]
        for n, k, s, p, length in zip(layer.lengths, layer.kernel, layer.stride, layer.pad, size, strict=True)
    )
    return np.outer(rows, columns)


def write_local_response(graph: GraphWriter, step: Step, layer: LocalResponse) -> None:
    """Write LRN, or its parts where the window is on one channel."""
    value, out = step.bottoms[0], step.tops[0]
    if not layer.is_within:
        window: dict[str, Any] = {"size": layer.size, "alpha": layer.alpha, "beta": layer.beta, "bias": layer.k}
        graph.add("LRN", value, out=out, **window)
        return
    half = layer.size // 2
    square = graph.add("Mul", value, value)
    mean = graph.add(
        "AveragePool", square, kernel_shape=[layer.size] * 2, pads=[half] * 4, strides=[1, 1], count_include_pad=1
    )
    sum_ = graph.add("Add", graph.add("Mul", mean, layer.alpha), 1.0)
    graph.add("Mul", value, graph.add("Pow", sum_, -layer.beta), out=out)
