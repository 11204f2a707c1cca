"""Moves, reductions and normalisations in ONNX."""

import numpy as np

from modelport_converter.frameworks.caffe.layers.base import numbers
from modelport_converter.frameworks.caffe.layers.detecting import MeanVariance, Normalise, Priors
from modelport_converter.frameworks.caffe.layers.net import Step
from modelport_converter.frameworks.caffe.layers.shaping import (
    ArgMax,
    Concat,
    Crop,
    Permute,
    Reduction,
    Repeat,
    Reshape,
    Resize,
    Shuffle,
    Slice,
    Softmax,
    Tile,
)
from modelport_converter.frameworks.caffe.writing.aligning import reshape
from modelport_converter.onnx_graphs.writing import GraphWriter

FLOAT = 1
END = np.iinfo(np.int64).max


def write_concat(graph: GraphWriter, step: Step, layer: Concat) -> None:
    """Write Concat."""
    graph.add("Concat", *step.bottoms, out=step.tops[0], axis=layer.axis)


def write_slice(graph: GraphWriter, step: Step, layer: Slice) -> None:
    """Write Split."""
    lengths = np.diff(layer.bounds).tolist()
    graph.add_many("Split", step.tops, step.bottoms[0], graph.lengths(*lengths), axis=layer.axis)


def write_reshape(graph: GraphWriter, step: Step, layer: Reshape) -> None:
    """Write Reshape."""
    reshape(graph, step.bottoms[0], step.shapes[0], layer.shape, step.tops[0])


def write_permute(graph: GraphWriter, step: Step, layer: Permute) -> None:
    """Write Transpose."""
    graph.add("Transpose", step.bottoms[0], out=step.tops[0], perm=layer.order)


def write_crop(graph: GraphWriter, step: Step, layer: Crop) -> None:
    """Write Slice."""
    if not layer.spans:
        graph.add("Identity", step.bottoms[0], out=step.tops[0])
        return
    starts = [start for start, _ in layer.spans.values()]
    ends = [start + length for start, length in layer.spans.values()]
    bounds = (graph.lengths(*each) for each in (starts, ends, layer.spans))
    graph.add("Slice", step.bottoms[0], *bounds, out=step.tops[0])


def write_tile(graph: GraphWriter, step: Step, layer: Tile) -> None:
    """Write Tile."""
    times = [layer.times if axis == layer.axis else 1 for axis in range(len(step.shapes[0]))]
    graph.add("Tile", step.bottoms[0], graph.lengths(*times), out=step.tops[0])


def write_shuffle(graph: GraphWriter, step: Step, layer: Shuffle) -> None:
    """Write two changes of shape and a Transpose between them."""
    (shape,) = step.shapes
    batch, (channels, *image) = shape[0], numbers(shape[1:])
    dealt = (batch, layer.groups, channels // layer.groups, *image)
    moved = graph.add("Transpose", reshape(graph, step.bottoms[0], shape, dealt), perm=[0, 2, 1, 3, 4])
    turned = (batch, channels // layer.groups, layer.groups, *image)
    reshape(graph, moved, turned, shape, step.tops[0])


def write_resize(graph: GraphWriter, step: Step, layer: Resize) -> None:
    """Write Resize with corners on corners."""
    value = step.bottoms[0]
    height, width = numbers(step.shapes[0][2:])
    if layer.begin or layer.end:
        ends = graph.lengths(height - layer.end, width - layer.end)
        value = graph.add("Slice", value, graph.lengths(*[layer.begin] * 2), ends, graph.lengths(2, 3))
    # all lengths have to be told, and that of the batch is free
    kept = graph.add("Shape", value, end=2)
    sizes = graph.add("Concat", kept, graph.lengths(*layer.lengths), axis=0)
    modes = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
    graph.add("Resize", value, "", "", sizes, out=step.tops[0], **modes)


def write_repeat(graph: GraphWriter, step: Step, layer: Repeat) -> None:
    """Write Resize to the nearest."""
    scales = np.array([1, 1, layer.times, layer.times], np.float32)
    modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    graph.add("Resize", step.bottoms[0], "", scales, out=step.tops[0], **modes)


def write_softmax(graph: GraphWriter, step: Step, layer: Softmax) -> None:
    """Write Softmax."""
    graph.add("Softmax", step.bottoms[0], out=step.tops[0], axis=layer.axis)


def write_argmax(graph: GraphWriter, step: Step, layer: ArgMax) -> None:
    """Write TopK from behind, because of equal numbers Caffe takes the last, and TopK the first."""
    (shape,), value = step.shapes, step.bottoms[0]
    if layer.axis is None:
        value, axis, length = graph.add("Flatten", value, axis=1), 1, int(np.prod(numbers(shape[1:])))
    else:
        axis, length = layer.axis, numbers([shape[layer.axis]])[0]
    ends = (graph.lengths(each) for each in (-1, -END, axis, -1))
    backwards = graph.add("Slice", value, *ends)
    largest, at = graph.add_many("TopK", ["", ""], backwards, graph.lengths(layer.top), axis=axis)
    indices = graph.add("Cast", graph.add("Sub", graph.lengths(length - 1), at), to=FLOAT)
    if layer.axis is not None:
        graph.add("Identity", largest if layer.has_values else indices, out=step.tops[0])
        return
    both = graph.add("Concat", indices, largest, axis=1) if layer.has_values else indices
    reshape(graph, both, (shape[0], (1 + layer.has_values) * layer.top), step.top_shapes[0], step.tops[0])


def write_reduction(graph: GraphWriter, step: Step, layer: Reduction) -> None:
    """Write a sum or mean."""
    axes, value = list(range(layer.axis, len(step.shapes[0]))), step.bottoms[0]
    if layer.operation == "MEAN":
        total = graph.add("ReduceMean", value, axes=axes, keepdims=0)
    else:
        operator = {"ASUM": "Abs", "SUMSQ": "Mul"}.get(layer.operation)
        value = graph.add(operator, *[value] * (1 + (operator == "Mul"))) if operator else value
        total = graph.add("ReduceSum", value, graph.lengths(*axes), keepdims=0)
    graph.add("Mul", total, layer.factor, out=step.tops[0])


def write_normalise(graph: GraphWriter, step: Step, layer: Normalise) -> None:
    """Write the length and what is divided by it."""
    value = step.bottoms[0]
    axes = graph.lengths(*((1, 2, 3) if layer.is_whole else (1,)))
    total = graph.add("ReduceSum", graph.add("Mul", value, value), axes)
    length = graph.add("Sqrt", graph.add("Add", total, layer.epsilon))
    scale = layer.scale.reshape(-1, 1, 1)
    graph.add("Mul", graph.add("Div", value, length), scale, out=step.tops[0])


def write_mean_variance(graph: GraphWriter, step: Step, layer: MeanVariance) -> None:
    """Write mean and deviation."""
    value, out = step.bottoms[0], step.tops[0]
    axes = [1, 2, 3] if layer.is_whole else [2, 3]
    mean = graph.add("ReduceMean", value, axes=axes)
    if not layer.is_divided:
        graph.add("Sub", value, mean, out=out)
        return
    centred = graph.add("Sub", value, mean)
    deviation = graph.add("Sqrt", graph.add("ReduceMean", graph.add("Mul", centred, centred), axes=axes))
    graph.add("Div", centred, graph.add("Add", deviation, layer.epsilon), out=out)


def write_priors(graph: GraphWriter, step: Step, layer: Priors) -> None:
    """Write the boxes, which no input changes."""
    graph.add("Identity", layer.values, out=step.tops[0])
