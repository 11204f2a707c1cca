"""Weights aligned with axes, and shapes that keep what is free."""

from modelport.verification.arrays import Array
from modelport_converter.frameworks.caffe.layers.base import Shape
from modelport_converter.onnx_graphs.writing import GraphWriter


def spread(weights: Array, axis: int, rank: int) -> Array:
    """Return weights that cover some of `rank` axes from one on."""
    return weights.reshape(*weights.shape, *[1] * (rank - axis - weights.ndim))


def reshape(graph: GraphWriter, value: str, given: Shape, wanted: Shape, out: str = "") -> str:
    """Add a change of shape that holds for any length that is free."""
    free = [isinstance(each, str) for each in wanted]
    target = [
        (0 if axis < len(given) and given[axis] == each and sum(free) > 1 else -1) if isinstance(each, str) else each
        for axis, each in enumerate(wanted)
    ]
    return graph.reshape(value, *target, out=out)
