"""A net becomes a model."""

from collections.abc import Callable
from typing import Any

import onnx

from modelport_converter.frameworks.caffe.layers import convolving, detecting, elementwise, shaping
from modelport_converter.frameworks.caffe.layers.net import Net
from modelport_converter.frameworks.caffe.writing import detections, numbers, shapes, windows
from modelport_converter.onnx_graphs.writing import GraphWriter, value_info

WRITERS: dict[type, Callable[..., None]] = {
    convolving.Convolution: windows.write_convolution,
    convolving.InnerProduct: windows.write_inner_product,
    convolving.Embed: windows.write_embed,
    convolving.Pooling: windows.write_pooling,
    convolving.LocalResponse: windows.write_local_response,
    elementwise.Unary: numbers.write_unary,
    elementwise.Slopes: numbers.write_slopes,
    elementwise.Affine: numbers.write_affine,
    elementwise.Combine: numbers.write_combine,
    elementwise.Eltwise: numbers.write_eltwise,
    elementwise.Axpy: numbers.write_axpy,
    shaping.Concat: shapes.write_concat,
    shaping.Slice: shapes.write_slice,
    shaping.Reshape: shapes.write_reshape,
    shaping.Permute: shapes.write_permute,
    shaping.Crop: shapes.write_crop,
    shaping.Tile: shapes.write_tile,
    shaping.Shuffle: shapes.write_shuffle,
    shaping.Resize: shapes.write_resize,
    shaping.Repeat: shapes.write_repeat,
    shaping.Softmax: shapes.write_softmax,
    shaping.ArgMax: shapes.write_argmax,
    shaping.Reduction: shapes.write_reduction,
    detecting.Normalise: shapes.write_normalise,
    detecting.MeanVariance: shapes.write_mean_variance,
    detecting.Priors: shapes.write_priors,
    detecting.Detect: detections.write_detect,
}


def write_net(net: Net) -> onnx.ModelProto:
    """Return the model."""
    names: set[Any] = {*net.inputs, *(top for step in net.steps for top in step.tops)}
    graph = GraphWriter(taken=names)
    for step in net.steps:
        graph.scope = step.layer.name
        WRITERS[type(step.operator)](graph, step, step.operator)
    inputs, outputs = (
        [value_info(name, "float32", shape) for name, shape in shapes.items()] for shapes in (net.inputs, net.outputs)
    )
    return graph.finish("caffe", inputs, outputs)
