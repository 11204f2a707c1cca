"""Normalization by what is known, or by what is measured; shares of 1."""

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.caffe.targeting import composing
from modelport_converter.frameworks.caffe.targeting.building import Building, Node, Write
from modelport_converter.frameworks.caffe.targeting.operators.arithmetic import spread
from modelport_converter.frameworks.caffe.targeting.operators.pooling import pool_all

TINY = 1e-30


def _constants(to: Building, node: Node, *indices: int) -> list[Array]:
    found = [to.constant(node.input(index)) for index in indices]
    if any(each is None for each in found):
        raise node.refuse("expected weights that are constants, found some that follow from the inputs")
    return [each for each in found if each is not None]


def _batch_norm(to: Building, node: Node) -> str:
    if node.get("training_mode", 0) or any(node.outputs[1:]):
        raise node.refuse("expected a model that answers, found one in training")
    factor, offset, mean, variance = _constants(to, node, 1, 2, 3, 4)
    blob = to.blob(node)
    told = {"eps": node.get("epsilon", 1e-5), "use_global_stats": True}
    normal = to.add("BatchNorm", blob, to.shape(blob), mean, variance, np.ones(1), batch_norm=told)
    return composing.scale(to, normal, factor, offset, 1)


def _instance_norm(to: Building, node: Node) -> str:
    factor, offset = _constants(to, node, 1, 2)
    blob = to.blob(node)
    image = composing.as_image(to, node, blob)
    normal = measured(to, node, image, node.get("epsilon", 1e-5))
    return composing.reshape(to, composing.scale(to, normal, factor, offset, 1), to.shape(blob))


def measured(to: Building, node: Node, image: str, epsilon: float) -> str:
    """Return an image whose channels have a mean of 0 and a variance of 1, but for epsilon.

    OpenCV adds it to the variance, as ONNX does, BVLC to the deviation: there it is written with the layers that it is made of.
    """
    # OpenCV's difference of two mean squares loses the digits of a mean that is large beside the deviation
    centred = _centred(to, node, image)
    if to.dialect == "opencv":
        return to.add("MVN", centred, to.shape(image), mvn={"normalize_variance": True, "eps": epsilon})
    variance = pool_all(to, composing.affine(to, centred, power=2), "AVE")
    below = composing.affine(to, variance, 1, epsilon, -0.5)
    return composing.weigh(to, centred, composing.reshape(to, below, to.shape(image)[:2]))


def _centred(to: Building, node: Node, image: str) -> str:
    mean = composing.reshape(to, pool_all(to, image, "AVE"), to.shape(image)[:2])
    means = composing.weigh(to, composing.ones_like(to, image), mean)
    return composing.combine(to, node, "SUM", [image, means], [1, -1])


def _layer_norm(to: Building, node: Node) -> str:
    """Normalize the last axes: as the only channel of an image for each of what lies before."""
    if any(node.outputs[1:]):
        raise node.refuse("expected one output, found mean and deviation, too")
    blob = to.blob(node)
    shape = to.shape(blob)
    axis = node.get("axis", -1) % len(shape)
    if axis == 0:
        raise node.refuse("expected an axis behind the first one, found 0")
    (factor,) = _constants(to, node, 1)
    offset = _constants(to, node, 2)[0] if node.input(2) else np.zeros(factor.shape)
    last = shape[axis:]
    rows = composing.reshape(to, blob, (shape[0], int(np.prod(shape[1:axis])), int(np.prod(last)), 1))
    normal = composing.reshape(to, measured(to, node, rows, node.get("epsilon", 1e-5)), shape)
    return composing.scale(to, normal, np.broadcast_to(factor, last), np.broadcast_to(offset, last), axis)


def _response(to: Building, node: Node) -> str:
    """Give Caffe's layer, whose k OpenCV takes for 1, alpha over it."""
    size, bias = node.get("size"), node.get("bias", 1.0)
    alpha, beta = node.get("alpha", 1e-4), node.get("beta", 0.75)
    if size % 2 == 0 or bias <= 0:
        raise node.refuse(f"expected an odd size and a bias above 0, found {size} and {bias}")
    blob = to.blob(node)
    if len(to.shape(blob)) != composing.IMAGE:
        raise node.refuse(f"expected an image, found {list(to.shape(blob))}")
    told = {"local_size": size, "alpha": alpha / bias, "beta": beta}
    return composing.affine(to, to.add("LRN", blob, to.shape(blob), lrn=told), bias**-beta)


def _softmax(to: Building, node: Node) -> str:
    blob = to.blob(node)
    rank = len(to.shape(blob))
    return to.add("Softmax", blob, to.shape(blob), softmax={"axis": node.get("axis", -1) % rank})


def _unit(to: Building, node: Node) -> str:
    """Divide by the sum of absolute values, or by the root of that of squares."""
    blob = to.blob(node)
    shape, power = to.shape(blob), node.get("p", 2)
    axis = node.get("axis", -1) % len(shape)
    if axis == 0:
        raise node.refuse("expected an axis behind the first one, found 0")
    sizes = composing.unary(to, "AbsVal", blob) if power == 1 else composing.affine(to, blob, power=2)
    total = composing.along(to, sizes, axis, np.ones((1, shape[axis])))
    # of zeros, ONNX Runtime makes zeros
    below = spread(to, node, composing.affine(to, total, 1, TINY, -1 / power), shape)
    return composing.combine(to, node, "PROD", [blob, below])


OPERATORS: dict[str, Write] = {
    "BatchNormalization": _batch_norm,
    "InstanceNormalization": _instance_norm,
    "LRN": _response,
    "LayerNormalization": _layer_norm,
    "LpNormalization": _unit,
    "Softmax": _softmax,
}
