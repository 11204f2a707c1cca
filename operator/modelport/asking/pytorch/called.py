"""Programs of torch.export as they are called by source and candidate: in two images, by one piece of code."""

from pathlib import Path
from typing import Any

import torch
from torch.export.graph_signature import ConstantArgument, InputKind
from torch.utils import _pytree


class Called(torch.nn.Module):
    """A program as a module, with its tensors in a row, whatever structure it was called with."""

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


def open_program(path: Path, extra_files: dict[str, Any] | None = None) -> torch.export.ExportedProgram:
    """Return the program of a file that opens without code (`programs.find_code`); files beside it go into the dict."""
    program = torch.export.load(path, extra_files=extra_files)
    program._guards_code = []  # noqa: SLF001  # text that is run as Python; the samples find the limits
    return program


def _user_inputs(program: torch.export.ExportedProgram) -> list[Any]:
    return [each for each in program.graph_signature.input_specs if each.kind == InputKind.USER_INPUT]
