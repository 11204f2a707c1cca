"""ONNX models in each form of PyTorch's that they become, asked."""

from pathlib import Path

import numpy as np
import torch
from onnx import helper

from modelport.api.status import Tensor
from modelport.asking.pytorch.called import Called
from modelport.asking.pytorch.modules import CODE, STATE, open_module
from modelport.asking.pytorch.tensors import to_tensor
from modelport_converter.frameworks.pytorch.exporting.graphs import Subject, to_program
from modelport_converter.frameworks.pytorch.exporting.printing import to_script
from modelport_converter.frameworks.pytorch.generating.graphs import generate

FORMS = ("module", "script", "program", "printed")


def opened(model, folder: Path, forms=FORMS, example=None):
    """Yield each form's name, and what answers: in a row, for inputs by name."""
    generated = generate(model)
    folder.mkdir(parents=True)
    (folder / CODE).write_text(generated.source)
    torch.save(generated.state, folder / STATE)
    names = generated.names
    for form in forms:
        module = open_module(folder / CODE)
        if form == "script":
            module = torch.jit.script(module)
        elif form in ("program", "printed"):
            subject = Subject(module, example, _tensors(model, names.inputs), folder, outputs=names.outputs)
            program, _ = to_program(subject)
            module = Called(program) if form == "program" else to_script(program)
        yield form, _asking(module, names)


def _asking(module, names):
    def ask(inputs):
        with torch.inference_mode():
            answer = module(*(to_tensor(np.asarray(inputs[name])) for name in names.inputs))
        return [each.float() if each.dtype == torch.bfloat16 else each for each in _row(answer)]

    return ask


def _row(answer):
    return list(answer.values()) if isinstance(answer, dict) else list(answer)


def _tensors(model, names):
    given = {each.name: each.type.tensor_type for each in model.graph.input}
    return [
        Tensor(
            name=name,
            dtype=str(helper.tensor_dtype_to_np_dtype(given[name].elem_type)),
            shape=[each.dim_param or each.dim_value for each in given[name].shape.dim],
        )
        for name in names
    ]


def difference(found, right) -> str:
    """Return what is wrong with an answer; nothing if it is right."""
    found, right = found.detach().numpy(), np.asarray(right)
    right = right.astype(np.float32) if right.dtype.name == "bfloat16" else right
    if (found.shape, found.dtype) != (right.shape, right.dtype):
        return f"{found.dtype} {found.shape} for {right.dtype} {right.shape}"
    if not np.allclose(found, right, rtol=1e-3, atol=1e-5, equal_nan=True):
        return f"differs by {np.nanmax(np.abs(found.astype(float) - right.astype(float)))}"
    return ""
