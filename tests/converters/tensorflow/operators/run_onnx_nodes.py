"""`python run_onnx_nodes.py FOLDER` runs ONNX's own tests of its operators, by the converter's Python.

outcomes.json has, for each one whose operators are known, what failed when all lengths are known, and when those of the
first input are free and all other inputs are constants.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import tensorflow as tf
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

from modelport.errors import ModelportError
from modelport_converter.frameworks.tensorflow.onnx_operators.building import Building
from modelport_converter.frameworks.tensorflow.onnx_operators.functions import expand, refuse_unknown

SMALL_BYTES = 64
"""Inputs behind the first one, up to a list of this size, are axes and the like, which models have as constants."""


def to_array(value):
    found = numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value
    return np.asarray(found) if isinstance(found, np.generic | np.ndarray) else None


def run(model, given, *, free):
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    inputs = {}
    for position, (value, array) in enumerate(zip(whole.graph.input, given, strict=True)):
        if position and (free or (array.ndim <= 1 and array.nbytes <= SMALL_BYTES)):
            whole.graph.initializer.append(numpy_helper.from_array(array, value.name))
        else:
            inputs[value.name] = array
    building = Building(expand(whole), lite=False)
    shapes = {
        name: [f"{name}_{axis}" if free else length for axis, length in enumerate(array.shape)]
        for name, array in inputs.items()
    }
    specs = [
        tf.TensorSpec([None] * array.ndim if free else array.shape, array.dtype if array.dtype != object else tf.string)
        for array in inputs.values()
    ]
    call = tf.function(lambda *tensors: building.call(dict(zip(inputs, tensors, strict=True)), shapes),
                       input_signature=specs, autograph=False)  # fmt: skip
    found = call(*inputs.values())
    return [found[value.name].numpy() for value in model.graph.output]


def compare(found, wanted, case):
    for each, right in zip(found, wanted, strict=True):
        assert each.shape == right.shape, f"shape {each.shape} for {right.shape}"
        if right.dtype.kind in "OU":
            assert [str(text, "utf-8") for text in each.flat] == list(right.flat)
            continue
        assert each.dtype == right.dtype, f"{each.dtype} for {right.dtype}"
        wide = np.complex128 if right.dtype.kind == "c" else np.float64
        is_half = right.dtype.itemsize == 2 and right.dtype.kind not in "iu"
        rtol = 2**-6 if right.dtype.name == "bfloat16" else 2**-9 if is_half else case.rtol
        np.testing.assert_allclose(each.astype(wide), right.astype(wide), rtol=rtol, atol=case.atol or 1e-7)


def outcome(case, *, free):
    try:
        for inputs, outputs in case.data_sets:
            given = [to_array(each) for each in inputs]
            compare(run(case.model, given, free=free), [to_array(each) for each in outputs], case)
    except Exception as error:  # noqa: BLE001  # told by name
        return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
    return ""


outcomes = {}
for case in collect_testcases(None):
    if case.kind != "node" or case.model is None or case.name.endswith("_expanded"):
        continue
    if any(to_array(each) is None for inputs, outputs in case.data_sets for each in (*inputs, *outputs)):
        continue  # sequences and optionals
    try:
        refuse_unknown(expand(case.model))
    except ModelportError:
        continue
    kinds = " ".join(sorted({node.op_type for node in case.model.graph.node}))
    outcomes[case.name] = {"kinds": kinds, "known": outcome(case, free=False), "free": outcome(case, free=True)}
(Path(sys.argv[1]) / "outcomes.json").write_text(json.dumps(outcomes))
