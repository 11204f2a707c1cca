"""Write a case, open it, and make questions."""

from pathlib import Path

import numpy as np

from converters.caffe.caffe_files import weights, write
from converters.caffe.layer_cases import Case
from modelport.storage.trees import open_tree
from modelport.verification.arrays import Tensors
from modelport_converter.frameworks.caffe.model import Model, open_model


def open_case(case: Case, folder: Path) -> Model:
    return open_model(open_tree(write(folder, case.text, weights(case.blobs))), [])


def questions(case: Case, model: Model, batch: int = 3) -> Tensors:
    random = np.random.default_rng(len(case.name))
    shapes = {
        name: [batch if isinstance(each, str) else each for each in shape] for name, shape in model.net.inputs.items()
    }
    found = {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    return {name: np.abs(array) + np.float32(0.1) for name, array in found.items()} if case.is_positive else found


def difference(found: Tensors, right: Tensors) -> float:
    """Return the largest relative RMS; infinity where shapes differ."""
    errors = []
    for name, array in right.items():
        if found[name].shape != array.shape:
            return float("inf")
        error = np.sqrt(np.mean(np.square(found[name].astype(np.float64) - array)))
        errors.append(float(error / max(1e-30, np.sqrt(np.mean(np.square(array.astype(np.float64)))))))
    return max(errors)
