"""`python run_onnx_cases.py FOLDER` converts FOLDER/NAME/model.onnx to a SavedModel, and asks it; by the converter's Python.

Beside it lie question-0.npz and so on; answers are left as saved-0.npz and, where FOLDER/NAME/lite is, as lite-0.npz of
TensorFlow Lite, whose converter has its own operators alone. outcomes.json says what failed.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import tensorflow as tf
from tensorflow.lite.python.interpreter import Interpreter

from modelport.api.status import Tensor
from modelport_converter.frameworks.tensorflow.from_onnx import trace, write
from modelport_converter.frameworks.tensorflow.onnx_operators.building import Building
from modelport_converter.frameworks.tensorflow.onnx_operators.functions import expand, refuse_unknown


def describe(model):
    return [
        Tensor(
            name=value.name,
            dtype=onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name,
            shape=[each.dim_param or each.dim_value for each in value.type.tensor_type.shape.dim],
        )
        for value in model.graph.input
    ]


def save(model, folder, *, lite):
    building = Building(model, lite=lite)
    inputs = describe(model)
    write(trace(building, inputs), building.weights, [each.name for each in inputs], folder)


def ask(run, folder, kind):
    for number, path in enumerate(sorted(folder.glob("question-*.npz"))):
        np.savez(folder / f"{kind}-{number}.npz", **run(dict(np.load(path))))


def convert(folder):
    model = expand(onnx.load(folder / "model.onnx"))
    refuse_unknown(model)
    save(model, folder / "saved", lite=False)
    signature = tf.saved_model.load(str(folder / "saved")).signatures["serving_default"]
    ask(lambda given: {k: v.numpy() for k, v in signature(**{k: tf.constant(v) for k, v in given.items()}).items()},
        folder, "saved")  # fmt: skip
    if (folder / "lite").exists():
        save(model, folder / "plain", lite=True)
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "plain"))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        interpreter = Interpreter(model_content=converter.convert())
        ask(lambda given: interpreter.get_signature_runner("serving_default")(**given), folder, "lite")


root, outcomes = Path(sys.argv[1]), {}
for each in sorted(path.parent for path in root.glob("*/model.onnx")):
    try:
        convert(each)
        outcomes[each.name] = ""
    except Exception as error:  # noqa: BLE001  # told by name
        outcomes[each.name] = f"{type(error).__name__}: {error}"[:600]
(root / "outcomes.json").write_text(json.dumps(outcomes))
