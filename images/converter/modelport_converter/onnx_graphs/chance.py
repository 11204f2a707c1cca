"""Nodes of an ONNX model that draw random numbers."""

import onnx

from modelport_converter.onnx_graphs.graphs import Constants, nodes_of

RANDOM = ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
RATIO, TRAINING_MODE = 1, 2
"""Inputs of Dropout."""


def find_random_operations(model: onnx.ModelProto) -> list[str]:
    """Return the nodes that make two runs differ, by name and type, in branches and functions, too."""
    constants = Constants(model)
    found = [node for node in nodes_of(model) if node.op_type in RANDOM or _drops(node, constants)]
    return [f"{node.name or node.output[0]} ({node.op_type})" for node in found]


def _drops(node: onnx.NodeProto, constants: Constants) -> bool:
    """Whether a Dropout may be in training mode: it is not where the mode is left out or false, or nothing is dropped."""
    if node.op_type != "Dropout" or len(node.input) <= TRAINING_MODE or not node.input[TRAINING_MODE]:
        return False
    mode = constants.read(node.input[TRAINING_MODE])
    ratio = constants.read(node.input[RATIO]) if node.input[RATIO] else None
    return (mode is None or bool(mode)) and not (ratio is not None and float(ratio) == 0)
