"""An ONNX model with its weights moved by one unit in the last place: what noise is to a model of integers."""

from pathlib import Path

import numpy as np
from onnx import numpy_helper

from modelport.verification.source.moving import move_weights
from modelport_converter.onnx_graphs.files import load_whole, write_model
from modelport_converter.onnx_graphs.graphs import tensors_of
from modelport_converter.onnx_graphs.precision import FLOATS


def write_moved(path: Path, target: Path) -> None:
    """Write the model at `path` with all its weights moved."""
    model, random = load_whole(path), np.random.default_rng(0)
    for tensor in tensors_of(model):
        if tensor.data_type in FLOATS:
            moved = move_weights(numpy_helper.to_array(tensor), random)
            tensor.CopyFrom(numpy_helper.from_array(moved, tensor.name))
    write_model(model, target)
