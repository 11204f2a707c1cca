"""ONNX to PyTorch: a module is generated, and served as it is, as TorchScript, or as a program of torch.export."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from modelport.api.reasons import Reason
from modelport.asking.pytorch.modules import CODE, STATE, open_module
from modelport.asking.pytorch.names import FILE, Names
from modelport.conversion.base import Options
from modelport.errors import ModelportError, lacks_memory
from modelport.steps.handover import read_signature
from modelport.steps.runner import say
from modelport.storage.trees import open_tree
from modelport.verification.reference import FILE_NAME, read_reference
from modelport_converter.frameworks.pytorch.exporting.base import pick_example
from modelport_converter.frameworks.pytorch.exporting.graphs import Subject, save_program, to_program
from modelport_converter.frameworks.pytorch.generating.graphs import generate
from modelport_converter.onnx_graphs.files import load_whole
from modelport_converter.tasks import MODEL, HopTask, find_part, last_line

LOGGER = "torch"


def convert(task: HopTask, _options: Options) -> None:
    """Write the module in the form that was asked for. Raises ModelportError (ConversionFailed)."""
    generated = generate(load_whole(find_part(open_tree(task.model), "onnx")))
    layers = sum(".weight" in name for name in generated.state)
    say(LOGGER, f"module of {generated.source.count(chr(10))} lines, {layers} layers with weights")
    with tempfile.TemporaryDirectory(dir=task.out) as scratch:
        folder = Path(scratch) / MODEL
        folder.mkdir()
        (folder / CODE).write_text(generated.source, encoding="utf-8")
        (folder / FILE).write_text(generated.names.encode(), encoding="utf-8")
        torch.save(generated.state, folder / STATE)
        if task.hop.target == "pytorch-export" and generated.decisions:
            told = ", ".join(generated.decisions)
            message = (
                f"torch.export follows no branch or loop that depends on values: {told:.300}; convert it to torchscript"
            )
            raise ModelportError(Reason.CONVERSION_FAILED, message)
        _FORMS[task.hop.target](task, folder, generated.names)


def _keep(task: HopTask, folder: Path, _names: Names) -> None:
    shutil.move(folder, task.out / MODEL)


def _script(task: HopTask, folder: Path, names: Names) -> None:
    try:
        script = torch.jit.script(open_module(folder / CODE))
    except Exception as error:  # TorchScript's errors have no common base
        if lacks_memory(error):
            raise
        message = f"TorchScript does not take the generated module: {last_line(error)}"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error
    (task.out / MODEL).mkdir()
    torch.jit.save(script, task.out / MODEL / "model.pt", _extra_files={FILE: names.encode()})


def _capture(task: HopTask, folder: Path, names: Names) -> None:
    signature = read_signature(task.asked)
    example = pick_example(read_reference(task.asked / FILE_NAME), signature.inputs)
    inputs = {each.name: each for each in signature.inputs}
    subject = Subject(
        open_module(folder / CODE), example, [inputs[name] for name in names.inputs], folder, outputs=names.outputs
    )
    program, _ = to_program(subject)
    save_program(program, names, task.out / MODEL)


_FORMS: Mapping[str, Callable[[HopTask, Path, Names], None]] = {
    "pytorch-module": _keep,
    "torchscript": _script,
    "pytorch-export": _capture,
}
