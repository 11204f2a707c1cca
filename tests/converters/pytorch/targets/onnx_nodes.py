"""Ask generated modules what ONNX's own tests of each operator ask, and print what came of each as JSON.

As they are, with all inputs given; and with all inputs but the first as weights, which then are layers and attributes.
"""

import json
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnx.backend.test.case.node import collect_testcases

from converters.pytorch.targets.forms import difference, opened
from modelport.errors import ModelportError
from modelport_converter.frameworks.pytorch.generating.graphs import CONTROL
from modelport_converter.frameworks.pytorch.generating.operators import OPERATORS

KNOWN = {
    *("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16", "BOOL", "UINT8", "INT8", "INT16", "INT32", "INT64"),
}  # fmt: skip


def is_ours(model):
    kinds = {node.op_type for node in model.graph.node}
    values = [*model.graph.input, *model.graph.output]
    types = {TensorProto.DataType.Name(each.type.tensor_type.elem_type) for each in values}
    return kinds <= {*OPERATORS, *CONTROL, "Constant"} and types <= KNOWN


def as_tensor(value, name=""):
    tensor = onnx.TensorProto()
    tensor.CopyFrom(value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(np.asarray(value)))
    tensor.name = name
    return tensor


def frozen(model):
    """Return the model whose first input alone is one, and the others' names."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    first, *others = copy.graph.input
    del copy.graph.input[1:]
    assert first
    return copy, [each.name for each in others]


def outcome(model, inputs, outputs, folder, forms):
    """Return what is wrong by form, and nothing of forms that are right."""
    wrong = {}
    try:
        for form, ask in opened(model, folder, forms):
            try:
                found = ask(inputs)
                told = [difference(each, right) for each, right in zip(found, outputs, strict=True)]
            except Exception as error:  # noqa: BLE001
                told = [f"{type(error).__name__}: {error}"[:300]]
            if any(told):
                wrong[form] = "; ".join(filter(None, told))
    except ModelportError as error:
        return {"refused": error.message}
    except Exception as error:  # noqa: BLE001
        return {"crashed": f"{type(error).__name__}: {error}"[:300]}
    return wrong


def main():
    warnings.simplefilter("ignore")
    found, covered = {}, set()
    root = Path(tempfile.mkdtemp())
    for case in collect_testcases(None):
        if case.model is None or "_expanded" in case.name or not case.data_sets or not is_ours(case.model):
            continue
        given, answers = case.data_sets[0]
        inputs = [numpy_helper.to_array(as_tensor(each)) for each in given]
        outputs = [numpy_helper.to_array(as_tensor(each)) for each in answers]
        names = [each.name for each in case.model.graph.input]
        questions = [(case.name, case.model, ("module", "script"))]
        if len(names) > 1 and all(names):
            model, others = frozen(case.model)
            model.graph.initializer.extend(map(as_tensor, given[1:], others))
            questions.append((f"{case.name} (weights)", model, ("module",)))
        for name, model, forms in questions:
            wrong = outcome(model, dict(zip(names, inputs, strict=True)), outputs, root / str(len(found)), forms)
            found[name] = wrong
            covered |= set() if wrong else {node.op_type for node in model.graph.node}
    json.dump({"found": found, "left": sorted(set(OPERATORS) - covered)}, sys.stdout)


if __name__ == "__main__":
    main()
