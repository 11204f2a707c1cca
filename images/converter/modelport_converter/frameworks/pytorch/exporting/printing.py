"""A program of torch.export as TorchScript: one line for each node of its graph, with free lengths as plain numbers.

Nothing of the example is left in it, as it would be in a trace of the program: a length is asked of the tensor that has
it, and computed with as the program says. Source: the operators' schemas, and TorchScript's language reference.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.export.graph_signature import ConstantArgument, InputKind
from torch.fx import Node

from modelport_converter.frameworks.pytorch.exporting.base import RefusedError

_SYMBOLS: Mapping[Any, str] = {
    operator.add: "({} + {})",
    operator.sub: "({} - {})",
    operator.mul: "({} * {})",
    operator.truediv: "({} / {})",
    operator.floordiv: "({} // {})",
    operator.mod: "({} % {})",
    operator.pow: "({} ** {})",
    operator.neg: "(-{})",
    operator.eq: "({} == {})",
    operator.ne: "({} != {})",
    operator.lt: "({} < {})",
    operator.le: "({} <= {})",
    operator.gt: "({} > {})",
    operator.ge: "({} >= {})",
    operator.and_: "({} and {})",
    operator.or_: "({} or {})",
    operator.not_: "(not {})",
    operator.getitem: "{}[{}]",
    operator.abs: "abs({})",
    torch.sym_not: "(not {})",
    torch.sym_max: "max({}, {})",
    torch.sym_min: "min({}, {})",
    torch.sym_int: "int({})",
    torch.sym_float: "float({})",
    math.ceil: "math.ceil({})",
    math.floor: "math.floor({})",
    math.trunc: "int({})",
}
"""What a program computes lengths with, as TorchScript writes it."""
_SIZES = {"aten.sym_size.int": "{}.size({})", "aten.sym_numel.default": "{}.numel()"}
_CHECKS = (
    "aten._assert_scalar.default",
    "aten._assert_async.msg",
    "aten._assert_tensor_metadata.default",
    "aten.sym_constrain_range_for_size.default",
    "aten.sym_constrain_range.default",
)
"""What only refuses other inputs than the program was captured for; no answer follows from it."""


def to_script(program: torch.export.ExportedProgram) -> torch.jit.ScriptModule:
    """Return the program as TorchScript that takes its tensors in a row and answers with a tuple. Raises RefusedError."""
    return _Printer(program).print()


class _Printer:
    def __init__(self, program: torch.export.ExportedProgram) -> None:
        self._program = program
        self._module = torch.nn.Module()
        self._names: dict[str, str] = {}
        """Of values in the script, by those in the graph."""
        self._lines: list[str] = []

    def print(self) -> torch.jit.ScriptModule:
        taken = self._place_inputs()
        for node in self._program.graph.nodes:
            if node.op == "call_function":
                self._add(node)
            elif node.op == "get_attr":
                raise RefusedError(f"{node.target} is a graph within the program, which TorchScript has not")
        answer = self._answer()
        head = f"def forward(self, {', '.join(taken)}):" if taken else "def forward(self):"
        self._module.eval()
        own = type("Program", (_Empty,), {})  # scripts of one class are one type, which has one forward
        script = torch.jit.script(own(self._module))
        script.define("\n    ".join([head, *self._lines, f"return ({', '.join(answer)},)"]) + "\n")
        return script.eval()

    def _place_inputs(self) -> list[str]:
        signature, state = self._program.graph_signature, self._program.state_dict
        mutated = [*signature.buffers_to_mutate.values(), *signature.user_inputs_to_mutate.values()]
        if mutated:
            raise RefusedError(f"the program writes into {', '.join(mutated):.160}")
        taken: list[str] = []
        for spec, node in zip(signature.input_specs, _placeholders(self._program), strict=True):
            name = _identifier(node.name)
            self._names[node.name] = name
            if spec.kind == InputKind.USER_INPUT:
                if not isinstance(spec.arg, ConstantArgument):
                    taken.append(name)
            elif spec.kind in _STATE:
                value = state[spec.target] if spec.target in state else self._program.constants[spec.target]
                self._names[node.name] = f"self.state.{self._register(spec.target, value)}"
            else:
                raise RefusedError(f"{node.name} is an input of kind {spec.kind.name}, which TorchScript has not")
        return taken

    def _register(self, target: str, value: torch.Tensor) -> str:
        name = f"{_identifier(target.replace('.', '__'))}"
        while hasattr(self._module, name):
            name += "_"
        plain = value.detach()
        if isinstance(value, torch.nn.Parameter):
            self._module.register_parameter(name, torch.nn.Parameter(plain, requires_grad=False))
        else:
            self._module.register_buffer(name, plain)
        return name

    def _answer(self) -> list[str]:
        (output,) = [node for node in self._program.graph.nodes if node.op == "output"]
        values = [each for each in output.args[0] if each is not None]
        if not all(isinstance(each, Node) for each in values):
            raise RefusedError("the program answers with numbers, where tensors are expected")
        return [self._text(each) for each in values]

    def _add(self, node: Node) -> None:
        if str(node.target) in _CHECKS:
            return
        name = _identifier(node.name)
        self._names[node.name] = name
        self._lines.append(f"{name} = {self._call(node)}")

    def _call(self, node: Node) -> str:
        target: Any = node.target
        if target in _SYMBOLS:
            return _SYMBOLS[target].format(*map(self._text, node.args))
        if str(target) in _SIZES:
            return _SIZES[str(target)].format(*map(self._text, node.args))
        if target in _ITEMS:
            return f"{_item_type(node)}({self._text(node.args[0])})"
        if not isinstance(target, torch._ops.OpOverload):  # noqa: SLF001  # it has no public name
            raise RefusedError(f"{target} is no operator that TorchScript has")
        given: list[str] = []
        for argument, value in _bind(node, target._schema.arguments):  # noqa: SLF001  # nothing else tells them
            text = self._argument(value, str(argument.type))
            given.append(f"{argument.name}={text}" if argument.kwarg_only else text)
        space, _, operation = target._schema.name.partition("::")  # noqa: SLF001
        return f"torch.ops.{space}.{operation}({', '.join(given)})"

    def _argument(self, value: Any, kind: str) -> str:
        text = self._text(value)
        if isinstance(value, (list, tuple)) and "Tensor" in kind:
            element = "Optional[Tensor]" if "Optional[Tensor]" in kind else "Tensor"
            return f"torch.jit.annotate(List[{element}], {text})"
        if isinstance(value, (list, tuple)) and "float" in kind:
            return f"torch.jit.annotate(List[float], {text})"
        if isinstance(value, (list, tuple)) and not value:
            return f"torch.jit.annotate(List[{'bool' if 'bool' in kind else 'int'}], [])"
        if isinstance(value, int) and not isinstance(value, bool) and kind in ("float", "Optional[float]"):
            return f"float({text})"
        return text

    def _text(self, value: Any) -> str:
        if isinstance(value, Node):
            return self._names[value.name]
        if isinstance(value, (list, tuple)):
            return f"[{', '.join(map(self._text, value))}]"
        for kind, printer in _PRINTERS.items():
            if isinstance(value, kind):
                return printer(value)
        raise RefusedError(f"{value!r:.80} is no constant that TorchScript has")


class _Empty(torch.nn.Module):
    """What a forward is defined for."""

    def __init__(self, state: torch.nn.Module) -> None:
        super().__init__()
        self.state = state


_ITEMS = (torch.ops.aten.item.default, torch.ops.aten._local_scalar_dense.default)  # noqa: SLF001  # its name


def _item_type(node: Node) -> str:
    """Return what a number out of a tensor is: a script has to know."""
    kind = type(node.meta.get("val"))
    return "bool" if kind in (bool, torch.SymBool) else "float" if kind in (float, torch.SymFloat) else "int"


_STATE = (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR)


def _float(value: float) -> str:
    return repr(value) if math.isfinite(value) else f'float("{value}")'


_PRINTERS: Mapping[type, Callable[[Any], str]] = {
    type(None): repr,
    bool: repr,
    int: repr,
    float: _float,
    str: repr,
    torch.dtype: str,
    torch.layout: str,
    torch.memory_format: str,
    torch.device: lambda value: f'torch.device("{value}")',
}


def _placeholders(program: torch.export.ExportedProgram) -> list[Node]:
    return [node for node in program.graph.nodes if node.op == "placeholder"]


def _bind(node: Node, arguments: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Return arguments of a schema with what the node gives for them; of what is left out, nothing."""
    found = list(zip(arguments, node.args, strict=False))
    return [*found, *((each, node.kwargs[each.name]) for each in arguments if each.name in node.kwargs)]


def _identifier(name: str) -> str:
    plain = re.sub(r"\W", "_", name, flags=re.ASCII)
    return plain if plain.isidentifier() and plain not in _RESERVED else f"_{plain}"


_RESERVED = {"self", "torch", "math", "annotate", "List", "Optional", "Tensor", "int", "float", "max", "min", "print"}
