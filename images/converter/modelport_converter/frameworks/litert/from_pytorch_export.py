"""Programs of torch.export to flatbuffers, by litert-torch: with the layout of axes that they have.

It takes fixed lengths. Free ones it takes where no operator asks for their products or compares them, which it does not
say before it fails.
"""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import litert_torch
import numpy as np
import torch
from torch.export.graph_signature import ConstantArgument, InputKind
from torch.utils import _pytree

from modelport.api.reasons import Reason
from modelport.api.status import Signature, Tensor
from modelport.conversion.base import Options
from modelport.conversion.shapes import FIELD
from modelport.errors import ModelportError, describe_error, lacks_memory
from modelport.steps.handover import read_signature
from modelport.steps.runner import say
from modelport.storage.trees import open_tree
from modelport.verification.reference import FILE_NAME, read_reference
from modelport_converter.frameworks.litert.naming import name_signature
from modelport_converter.tasks import MODEL, HopTask, find_part, last_line

FILE = "model.tflite"
WIDE = 64
"""What a suggestion has as length of a free dimension that is no batch."""


class _Called(torch.nn.Module):
    """A program as a module, with its tensors in a row, whatever structure it was called with."""

    def __init__(self, program: torch.export.ExportedProgram) -> None:
        super().__init__()
        self.program = program.module(check_guards=False)
        self._structure = program.call_spec.in_spec
        told = program.graph_signature.input_specs
        self._places = [each.arg for each in told if each.kind == InputKind.USER_INPUT]

    def forward(self, *inputs: torch.Tensor) -> Any:
        left = iter(inputs)
        flat = [each.value if isinstance(each, ConstantArgument) else next(left) for each in self._places]
        args, kwargs = _pytree.tree_unflatten(flat, self._structure)
        answers, _ = _pytree.tree_flatten(self.program(*args, **kwargs))
        return tuple(answers)


def convert(task: HopTask, _options: Options) -> None:
    """Write the flatbuffer. Raises ModelportError (SourceCorrupt, ConversionFailed, ShapesNeeded)."""
    signature, path = read_signature(task.asked), task.out / MODEL / FILE
    model = _load(find_part(open_tree(task.model), task.hop.source))
    sample = read_reference(task.asked / FILE_NAME).samples[0].inputs[0]
    given = tuple(torch.from_numpy(np.ascontiguousarray(sample[each.name])) for each in signature.inputs)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)  # it takes programs for models that are trained
    say(task.hop.converter, f"litert-torch {litert_torch.__version__} converts")
    converted = _convert(model, given, signature)
    path.parent.mkdir()
    converted.export(str(path))
    name_signature(path, [each.name for each in signature.inputs], [each.name for each in signature.outputs])


def _load(path: Path) -> torch.nn.Module:
    try:
        program = torch.export.load(path)
        program._guards_code = []  # noqa: SLF001  # text that is run as Python; the samples find the limits
        return _Called(program)
    except Exception as error:  # what the reader meets in a damaged file has no common base
        if lacks_memory(error):
            raise
        message = f"{path.name}: expected a program that torch {torch.__version__} loads, found: {last_line(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error


def _convert(model: torch.nn.Module, given: tuple[torch.Tensor, ...], signature: Signature) -> Any:
    free = [each for each in signature.inputs if any(isinstance(length, str) for length in each.shape)]
    try:
        return litert_torch.convert(model, given, dynamic_shapes=(_axes(signature.inputs),) if free else None)
    except Exception as error:  # of no common base
        if lacks_memory(error):
            raise
        if not free:
            raise ModelportError(Reason.CONVERSION_FAILED, f"litert-torch: {describe_error(error)}") from error
        shapes = ", ".join(f"{each.name}: {_example(each)}" for each in free)
        found = ", ".join(f"{each.name} {list(each.shape)}" for each in free)
        message = f"{FIELD}: expected fixed lengths, because litert-torch takes no others here; found {found:.120}"
        raise ModelportError(
            Reason.SHAPES_NEEDED,
            f"{message}; state for example shapes: {{{shapes:.160}}} ({describe_error(error):.120})",
        ) from error


def _axes(inputs: Sequence[Tensor]) -> tuple[dict[int, Any], ...]:
    """Return the free axes of each input; equal names are equal lengths."""
    known: dict[str, Any] = {}
    return tuple(
        {
            axis: known.setdefault(length, torch.export.Dim(f"length_{len(known)}"))
            for axis, length in enumerate(each.shape)
            if isinstance(length, str)
        }
        for each in inputs
    )


def _example(tensor: Tensor) -> list[int]:
    lengths = enumerate(tensor.shape)
    return [each if isinstance(each, int) else 1 if axis == 0 else WIDE for axis, each in lengths]
