"""From a PyTorch model to TorchScript or to a program of torch.export.

A program keeps free lengths, and refuses what it cannot; a trace is taken first for TorchScript, because it keeps the
model's layers and their names, and gives way to a program, printed as TorchScript, where it may bake something in.
"""

import inspect
import keyword
import logging
import re
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch

from modelport.api.reasons import Reason
from modelport.api.status import Tensor
from modelport.asking.pytorch.names import FILE, Names
from modelport.asking.pytorch.programs import find_code
from modelport.asking.pytorch.tensors import name_outputs
from modelport.errors import ModelportError, lacks_memory
from modelport.steps.runner import say
from modelport.verification.arrays import Tensors
from modelport_converter.frameworks.pytorch.building.state import settle
from modelport_converter.frameworks.pytorch.exporting.base import (
    Exported,
    Flattened,
    RefusedError,
    describe_refusal,
    free_axes,
    is_whole,
    plain_operators,
    tell_places,
    to_arguments,
)
from modelport_converter.frameworks.pytorch.exporting.printing import to_script
from modelport_converter.frameworks.pytorch.exporting.recurrent import whole_layers
from modelport_converter.frameworks.pytorch.exporting.telling import tell_fixed
from modelport_converter.frameworks.pytorch.forms.base import Captured

LOGGER = "torch"
for noisy in ("torch.fx", "torch.export", "torch._subclasses"):  # they log what they raise, with graphs and tracebacks
    logging.getLogger(noisy).setLevel(logging.CRITICAL)
OWN = ("aten", "prim", "prims", "quantized", "inductor")
"""Namespaces of operators that PyTorch has by itself, in the image that serves, too."""
Graph = TypeVar("Graph")
Caught = list[warnings.WarningMessage]


class Subject(NamedTuple):
    """What becomes a graph."""

    model: torch.nn.Module
    example: Tensors
    inputs: Sequence[Tensor]
    """As they were asked: free lengths have names."""
    code: Path
    """Folder of the code that came with the model."""
    captured: Captured | None = None
    """What a program is captured from, where that is not the model itself."""
    is_traceable: bool = True
    is_doubtful: bool = False
    """Whether the model's code looks at values of tensors."""
    outputs: Sequence[str] = ()
    """Names of what the model answers with, in a row; else they follow from its structure."""


class Named(torch.nn.Module):
    """The model with the names of its inputs as parameters, and its outputs by name."""

    def __init__(self, model: torch.nn.Module, names: Sequence[str], outputs: Sequence[str] = ()) -> None:
        super().__init__()
        self.model = model
        self._names, self._outputs = list(names), list(outputs)
        parameters = [inspect.Parameter(each, inspect.Parameter.POSITIONAL_OR_KEYWORD) for each in identifiers(names)]
        # what torch.export calls placeholders, and so the inputs of whoever opens the program
        self.__dict__["forward"] = _with_signature(self._answer, inspect.Signature(parameters))
        settle(self)

    def _answer(self, *inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        answer = self.model(*inputs)
        return dict(zip(self._outputs, answer, strict=True)) if self._outputs else name_outputs(answer, self._names)


def _with_signature(function: Callable[..., Any], signature: inspect.Signature) -> Callable[..., Any]:
    def forward(*inputs: torch.Tensor, **named: torch.Tensor) -> Any:
        return function(*inputs, *named.values())

    forward.__signature__ = signature  # type: ignore[attr-defined]
    return forward


def identifiers(names: Sequence[str]) -> list[str]:
    """Return names of parameters of Python's, as near to these as can be."""
    found: list[str] = []
    for name in names:
        plain = re.sub(r"\W", "_", name, flags=re.ASCII) or "input"
        plain = plain if plain.isidentifier() and not keyword.iskeyword(plain) and plain != "self" else f"input_{plain}"
        own, number = plain, len(found)
        while own in found:
            own, number = f"{plain}_{number}", number + 1
        found.append(own)
    return found


def to_program(subject: Subject) -> tuple[torch.export.ExportedProgram, Exported]:
    """Return the model as a program, and how it came about. Raises ModelportError (ConversionFailed, ShapesNeeded)."""
    if isinstance(subject.captured, torch.export.ExportedProgram):
        return subject.captured, Exported()
    with plain_operators():
        refusals: list[str] = []
        found = _attempt("capture", _capture, subject, refusals)
    if found is None:
        fixed = tell_fixed("; ".join(refusals), subject.inputs, subject.example)
        raise fixed or ModelportError(
            Reason.CONVERSION_FAILED, f"torch.export refuses the model: {'; '.join(refusals)}"
        )
    program, warned = found
    return program, Exported(places=tell_places(warned))


def to_torchscript(subject: Subject) -> tuple[torch.jit.ScriptModule, Exported]:
    """Return the model as TorchScript, and how it came about. Raises ModelportError (ConversionFailed)."""
    if isinstance(subject.model, torch.jit.ScriptModule):
        return subject.model, Exported()
    refusals: list[str] = []
    with plain_operators():
        traced = _attempt("trace", _trace, subject, refusals) if subject.is_traceable else None
        if traced is not None and not traced[1] and not subject.is_doubtful:
            return traced[0], Exported()
        if traced is not None and traced[1]:
            told = str(traced[1][0].message).splitlines()[0]
            say(LOGGER, f"the trace may hold for its example alone: {told:.160}")
        printed = _attempt("capture", _print, subject, refusals)
    if printed is not None:
        return printed[0], Exported(places=tell_places([*(traced[1] if traced else ()), *printed[1]]))
    if traced is None:
        message = f"PyTorch's exporters refuse the model: {'; '.join(refusals)}"
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    say(LOGGER, "the trace is kept")
    script, warned = traced
    return script, Exported(True, refusals[-1], tell_places(warned), tell_places(filter(is_whole, warned)))


def check_operators(names: Sequence[str]) -> None:
    """Refuse operators, such as aten::add, that the image which serves has not. Raises ModelportError (ConversionFailed)."""
    foreign = sorted({name for name in names if name.partition("::")[0] not in OWN})
    if foreign:
        message = f"expected operators of PyTorch alone, which the server has; found {', '.join(foreign):.300}"
        raise ModelportError(Reason.CONVERSION_FAILED, message)


def save_program(program: torch.export.ExportedProgram, names: Names, folder: Path) -> None:
    """Write a program that opens without code. Raises ModelportError (ConversionFailed)."""
    targets = [node.target for node in program.graph.nodes if node.op == "call_function"]
    overloads = [each for each in targets if isinstance(each, torch._ops.OpOverload)]  # noqa: SLF001  # no public name
    check_operators([each.name() for each in overloads])
    folder.mkdir()
    path = folder / "model.pt2"
    torch.export.save(program, path, extra_files={FILE: names.encode()})
    run = find_code(path)
    if run:
        message = f"expected a program that opens without code, which the server refuses; found {', '.join(run):.300}"
        raise ModelportError(Reason.CONVERSION_FAILED, message)


def operators_of(script: torch.jit.ScriptModule) -> list[str]:
    """Return the operators of a script with its own methods inlined, such as aten::add."""
    found: list[str] = []
    graph = script.inlined_graph  # its nodes are gone with it
    blocks: list[Any] = [graph]
    while blocks:
        for node in blocks.pop().nodes():
            found.append(node.kind())
            blocks.extend(node.blocks())
    return found


def _attempt(
    name: str, exporter: Callable[[Subject], Graph], subject: Subject, refusals: list[str]
) -> tuple[Graph, Caught] | None:
    """Return the graph and the doubts about it, mostly none; None if the exporter refused."""
    settle(subject.model)
    try:
        with warnings.catch_warnings(record=True) as caught, torch.no_grad():
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", torch.jit.TracerWarning)
            return exporter(subject), caught
    except RefusedError as refusal:
        told = str(refusal)
    except Exception as error:  # the exporters' errors have no common base
        if lacks_memory(error):
            raise
        told = describe_refusal(error, subject.code)
    refusals.append(f"{name}: {told}")
    say(LOGGER, f"exporter {name} refuses: {told}")
    return None


def _trace(subject: Subject) -> torch.jit.ScriptModule:
    names = [each.name for each in subject.inputs]
    model = Flattened(subject.model, subject.inputs)
    script = torch.jit.trace(model, to_arguments(subject.example, subject.inputs), check_trace=False)
    assert isinstance(script, torch.jit.ScriptModule)
    random = [each for each in operators_of(script) if each in _RANDOM]
    if random:
        raise RefusedError(f"its graph draws random numbers where the model does not: {', '.join(random)}")
    for value, name in zip(list(script.graph.inputs())[1:], identifiers(names), strict=True):
        with suppress(RuntimeError):  # a name that TorchScript cannot have
            value.setDebugName(name)
    return script


_RANDOM = frozenset({"aten::bernoulli", "aten::rand", "aten::randn", "aten::rand_like", "aten::randn_like"})


def _capture(subject: Subject) -> torch.export.ExportedProgram:
    if isinstance(subject.captured, torch.export.ExportedProgram):
        return subject.captured
    names = [each.name for each in subject.inputs]
    model = Named(subject.captured or subject.model, names, subject.outputs)
    shapes = {
        name: dict.fromkeys(free_axes(each), torch.export.Dim.DYNAMIC)
        for name, each in zip(identifiers(names), subject.inputs, strict=True)
    }
    arguments = to_arguments(subject.example, subject.inputs)
    with whole_layers():
        try:
            return torch.export.export(model, arguments, dynamic_shapes=shapes, strict=False)
        except torch._dynamo.exc.UserError:  # noqa: SLF001  # it has no public name
            # a length was fixed by what may only have been asked of it: then it is noted instead, and noted once too often
            program = torch.export.export(
                model,
                arguments,
                dynamic_shapes=shapes,
                strict=False,
                prefer_deferred_runtime_asserts_over_guards=True,
            )
    for node in reversed(program.graph.nodes):
        if node.target is torch.ops.aten._assert_scalar.default:  # noqa: SLF001
            program.graph.erase_node(node)
    program.graph.eliminate_dead_code()
    program.graph_module.recompile()
    return program


def _print(subject: Subject) -> torch.jit.ScriptModule:
    return to_script(_capture(subject))
