"""Programs of torch.export: a graph, whose inputs, lengths and limits are in the file."""

import logging
from pathlib import Path
from typing import Any, cast

import torch
from torch.export.graph_signature import ConstantArgument, InputKind
from torch.utils import _pytree

from modelport.api.base import Dtype
from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.errors import ModelportError, lacks_memory
from modelport.jobs.requests import ConvertRequest
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.pytorch.building.state import settle
from modelport_converter.frameworks.pytorch.forms.base import Loaded
from modelport_converter.frameworks.pytorch.weights.programs import find_code
from modelport_converter.frameworks.pytorch.weights.signatures import read_signature
from modelport_converter.tasks import find_part, last_line

logging.getLogger("torch.export").setLevel(logging.CRITICAL)  # it logs what it raises, with a traceback


class Called(torch.nn.Module):
    """The program as a module, with its tensors in a row, whatever structure it was called with."""

    def __init__(self, program: torch.export.ExportedProgram) -> None:
        super().__init__()
        self.program = program.module(check_guards=False)
        self._structure = program.call_spec.in_spec
        self._places = [spec.arg for spec in _user_inputs(program)]

    def forward(self, *inputs: torch.Tensor) -> Any:
        """Return what the program answers."""
        left = iter(inputs)
        flat = [each.value if isinstance(each, ConstantArgument) else next(left) for each in self._places]
        args, kwargs = _pytree.tree_unflatten(flat, self._structure)
        return self.program(*args, **kwargs)


def load(request: ConvertRequest, folder: Path, code: Path, seed: int) -> Loaded:  # noqa: ARG001  # as all forms
    """Load the program. Raises ModelportError: UntrustedSource, SourceCorrupt."""
    path = find_part(open_tree(folder), request.source_format)
    if not request.trusted and (run := find_code(path)):  # inspect saw none
        raise ModelportError(Reason.UNTRUSTED_SOURCE, f"{path.name}: opening it would run {', '.join(run):.300}")
    told = read_signature(path)
    try:
        program = torch.export.load(path)
        program._guards_code = []  # noqa: SLF001  # text that is run as Python; the samples find the limits
        model = Called(program)
    except Exception as error:  # what the reader meets in a damaged file has no common base
        if lacks_memory(error):
            raise
        message = f"{path.name}: expected a program that torch {torch.__version__} loads, found: {last_line(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    settle(model)
    own, stated = [each.name for each in told.inputs], [each.name for each in request.inputs]
    if stated and (len(stated) != len(own) or (set(stated) == set(own) and stated != own)):
        message = f"spec.source.inputs: the program takes {', '.join(own):.200} in this order, found {', '.join(stated):.200}; leave them out, the file tells them"
        raise ModelportError(Reason.INPUTS_NEEDED, message)
    inputs = [Input(name=each.name, dtype=cast("Dtype", each.dtype), shape=list(each.shape)) for each in told.inputs]
    limits = {} if request.inputs else told.limits
    return Loaded(model, request.inputs or inputs, limits, program, is_traceable=False)


def _user_inputs(program: torch.export.ExportedProgram) -> list[Any]:
    return [each for each in program.graph_signature.input_specs if each.kind == InputKind.USER_INPUT]
