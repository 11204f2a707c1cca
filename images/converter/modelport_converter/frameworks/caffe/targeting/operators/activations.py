"""Functions of one number."""

import numpy as np

from modelport_converter.frameworks.caffe.targeting import composing
from modelport_converter.frameworks.caffe.targeting.building import Building, Node, Write

SELU_ALPHA, SELU_GAMMA = 1.6732632423543772, 1.0507009873554805
LARGEST = float(np.finfo(np.float32).max)


def _layer(kind: str) -> Write:
    return lambda to, node: composing.unary(to, kind, to.blob(node))


def _power(scale: float = 1.0, power: float = 1.0) -> Write:
    return lambda to, node: composing.affine(to, to.blob(node), scale=scale, power=power)


def _same(to: Building, node: Node) -> str:
    return to.blob(node)


def _dropout(to: Building, node: Node) -> str:
    training = to.constant(node.input(2))
    if node.input(2) and (training is None or training.any()):
        raise node.refuse("expected training_mode false, found true, or a value that is computed")
    return to.blob(node)


def _cast(to: Building, node: Node) -> str:
    if node.get("to") != 1:
        raise node.refuse("expected float32, which all of Caffe's blobs are, found a cast to another type")
    return to.blob(node)


def _leaky(to: Building, node: Node) -> str:
    return composing.unary(to, "ReLU", to.blob(node), relu={"negative_slope": node.get("alpha", 0.01)})


def _prelu(to: Building, node: Node) -> str:
    blob, slope = to.blob(node), to.constant(node.input(1))
    shape = to.shape(blob)
    if slope is None:
        raise node.refuse("expected slopes that are constants, found some that are computed")
    if slope.size == 1:
        return composing.unary(to, "ReLU", blob, relu={"negative_slope": float(slope.ravel()[0])})
    given = (*[1] * (len(shape) - slope.ndim), *slope.shape)
    if len(given) != len(shape) or given[1] != slope.size or slope.size != shape[1]:
        raise node.refuse(
            f"expected a slope for each of {shape[1]} channels, or one for all, found {list(slope.shape)}"
        )
    return to.add("PReLU", blob, shape, slope.ravel(), prelu={"channel_shared": False})


def _elu(to: Building, node: Node) -> str:
    return composing.unary(to, "ELU", to.blob(node), elu={"alpha": node.get("alpha", 1.0)})


def _celu(to: Building, node: Node) -> str:
    alpha = node.get("alpha", 1.0)
    inner = composing.unary(to, "ELU", composing.affine(to, to.blob(node), 1 / alpha), elu={"alpha": 1.0})
    return composing.affine(to, inner, alpha)


def _selu(to: Building, node: Node) -> str:
    alpha, gamma = node.get("alpha", SELU_ALPHA), node.get("gamma", SELU_GAMMA)
    return composing.affine(to, composing.unary(to, "ELU", to.blob(node), elu={"alpha": alpha}), gamma)


def _clip(to: Building, node: Node) -> str:
    bounds = []
    for index, usual in ((1, -np.inf), (2, np.inf)):
        found = to.constant(node.input(index))
        if node.input(index) and (found is None or found.size != 1):
            raise node.refuse("expected bounds that are constants, found some that are computed")
        value = usual if found is None else float(found.ravel()[0])
        bounds.append(usual if abs(value) >= LARGEST else value)
    low, high = bounds
    if not low <= high:
        raise node.refuse(f"expected a lower bound below the upper one, found {low} and {high}")
    return composing.clip(to, to.blob(node), low, high)


def _hard_sigmoid(to: Building, node: Node) -> str:
    blob = composing.affine(to, to.blob(node), node.get("alpha", 0.2), node.get("beta", 0.5))
    return composing.clip(to, blob, 0, 1)


def _hard_swish(to: Building, node: Node) -> str:
    blob = to.blob(node)
    gate = composing.clip(to, composing.affine(to, blob, 1, 3), 0, 6)
    return composing.combine(to, node, "PROD", [blob, composing.affine(to, gate, 1 / 6)])


def _mish(to: Building, node: Node) -> str:
    blob = to.blob(node)
    gate = composing.unary(to, "TanH", composing.unary(to, "BNLL", blob))
    return composing.combine(to, node, "PROD", [blob, gate])


def _softsign(to: Building, node: Node) -> str:
    blob = to.blob(node)
    below = composing.affine(to, composing.unary(to, "AbsVal", blob), 1, 1, -1)
    return composing.combine(to, node, "PROD", [blob, below])


OPERATORS: dict[str, Write] = {
    "Abs": _layer("AbsVal"),
    "Cast": _cast,
    "Celu": _celu,
    "Clip": _clip,
    "Dropout": _dropout,
    "Elu": _elu,
    "Exp": _layer("Exp"),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "Identity": _same,
    "LeakyRelu": _leaky,
    "Log": _layer("Log"),
    "Mish": _mish,
    "Neg": _power(scale=-1),
    "PRelu": _prelu,
    "Reciprocal": _power(power=-1),
    "Relu": _layer("ReLU"),
    "Selu": _selu,
    "Sigmoid": _layer("Sigmoid"),
    "Softplus": _layer("BNLL"),
    "Softsign": _softsign,
    "Sqrt": _power(power=0.5),
    "Tanh": _layer("TanH"),
}
