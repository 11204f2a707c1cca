"""Programs of torch.export: a graph, whose inputs, lengths and limits are in the file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch.export.graph_signature import ConstantArgument, InputKind, TensorArgument
from torch.utils import _pytree

from modelport.api.base import Dtype
from modelport.api.reasons import Reason
from modelport.api.spec import DimensionRange, Input
from modelport.errors import ModelportError, lacks_memory
from modelport.jobs.requests import ConvertRequest
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.pytorch.building.state import settle
from modelport_converter.frameworks.pytorch.forms.base import Loaded
from modelport_converter.frameworks.pytorch.weights.programs import find_code
from modelport_converter.tasks import find_part, last_line

LARGEST = 1 << 31
EXCLUDED = 2
"""Export excludes 0 and 1 from lengths without a word from the user, and so do its limits; the graph answers them."""


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
    names, inputs = _describe(program)
    found = {
        names[str(symbol)]: _limits(each) for symbol, each in program.range_constraints.items() if str(symbol) in names
    }
    # what has none is found by asking: a length that is declared is never refused
    limits = {name: each for name, each in found.items() if each != DimensionRange()}
    return Loaded(
        model, request.inputs or inputs, {} if request.inputs else limits, lambda _example: program, is_traceable=False
    )


def _user_inputs(program: torch.export.ExportedProgram) -> list[Any]:
    return [each for each in program.graph_signature.input_specs if each.kind == InputKind.USER_INPUT]


def _describe(program: torch.export.ExportedProgram) -> tuple[Mapping[str, str], Sequence[Input]]:
    """Return names of free dimensions by symbol, and the inputs; the first axis of the first input is the batch."""
    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    tensors = {
        each.arg.name: values[each.arg.name] for each in _user_inputs(program) if isinstance(each.arg, TensorArgument)
    }
    names: dict[str, str] = {}
    inputs = []
    for name, value in tensors.items():
        shape: list[int | str] = []
        for axis, length in enumerate(value.shape):
            if isinstance(length, int):
                shape.append(length)
            else:
                own = "batch" if not names and axis == 0 else f"{name}_{axis}"
                shape.append(names.setdefault(str(length.node.expr), own))
        inputs.append(Input(name=name, dtype=cast("Dtype", str(value.dtype).removeprefix("torch.")), shape=shape))
    return names, inputs


def _limits(found: Any) -> DimensionRange:
    lowest, highest = _length(found.lower), _length(found.upper)
    return DimensionRange(
        min=lowest if lowest is not None and lowest > EXCLUDED else 1,
        max=highest if highest is not None and highest < LARGEST else None,
    )


def _length(bound: Any) -> int | None:
    """Return a bound, which is a number of sympy's, as one; infinity is none."""
    return int(bound) if bound.is_Integer else None
