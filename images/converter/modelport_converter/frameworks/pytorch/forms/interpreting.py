"""A script as a module of Python's, which PyTorch can follow: its graph is run node by node, its control flow by Python.

torch.export follows Python, and keeps lengths free in it; a script's own graph it does not. What a script decides by
ranks, types and options is decided while it is followed; what it decides by values is refused there, by name.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import PurePath
from typing import Any, NamedTuple

import torch
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

from modelport_converter.frameworks.pytorch.forms.script_operators import (
    IDENTITIES,
    OF_COLLECTIONS,
    OF_NUMBERS,
    OF_TENSORS,
)


class _Part(NamedTuple):
    """A module of the script."""

    module: torch.jit.ScriptModule
    prefix: str
    """Of the names of its weights."""


class Interpreted(torch.nn.Module):
    """A script whose weights are buffers of a plain module, and whose forward runs its graph."""

    def __init__(self, script: torch.jit.ScriptModule) -> None:
        super().__init__()
        self._graph = script.inlined_graph
        self._defaults = [each.default_value for each in script.forward.schema.arguments[1:]]
        self._numbers = dict(_find_numbers(self._graph))
        self._root = (_Part(script, ""),)  # in a tuple, so that it is no module of this one
        self._keys: dict[str, str] = {}
        self._changed: dict[str, Any] = {}
        """What the run has set or may write into, by its name: a script that goes on from there is refused before."""
        for name, tensor in chain(
            script.named_parameters(remove_duplicate=False), script.named_buffers(remove_duplicate=False)
        ):
            # numbered: `a.b` is beside `a__b`, and no attribute of this module
            self._keys[name] = f"{name.replace('.', '__')}__{len(self._keys)}"
            self.register_buffer(self._keys[name], tensor)

    def forward(self, *inputs: torch.Tensor) -> Any:
        """Return what the script answers. Raises NotImplementedError for what only TorchScript can run."""
        self._changed.clear()
        given = (*self._root, *inputs, *self._defaults[len(inputs) :])
        (answer,) = self._run(self._graph, dict(zip(_uniques(self._graph.inputs()), given, strict=True)))
        return answer

    def _run(self, block: Any, known: dict[int, Any]) -> list[Any]:
        for node in block.nodes():
            if node.kind() == "prim::Constant":
                value = node.output()
                known[value.unique()] = self._numbers.get(value.unique(), value.toIValue())
                continue
            given = [known[each.unique()] for each in node.inputs()]
            try:
                taken = self._run_node(node, given, known)
            except GuardOnDataDependentSymNode:  # it says nothing of the script; a cause would be told instead of this
                raise NotImplementedError(f"{node.kind()} depends on values{_tell_place(node)}") from None
            known.update(zip(_uniques(node.outputs()), taken, strict=True))
        return [known[each.unique()] for each in block.outputs()]

    def _run_node(self, node: Any, given: list[Any], known: dict[int, Any]) -> Sequence[Any]:
        kind = node.kind()
        if kind in ("prim::GetAttr", "prim::SetAttr"):
            return self._attribute(node, *given)
        if kind == "prim::If":
            yes, no = node.blocks()
            if _is_free(given[0]) and not any(_only_raises(block) for block in (yes, no)):
                _warn(node)
            return self._run(yes if given[0] else no, known)
        if kind == "prim::Loop":
            return self._loop(node, given, known)
        if kind in _UNPACKING:
            return list(given[0])
        if kind in _STRUCTURES:
            return [_STRUCTURES[kind](node, given)]
        answer = _call(node, given)
        return answer if node.outputsSize() > 1 else [answer] * node.outputsSize()

    def _attribute(self, node: Any, part: _Part, *value: Any) -> list[Any]:
        name = f"{part.prefix}{node.s('name')}"
        if value:
            (self._changed[name],) = value
            return []
        if name in self._changed:
            return [self._changed[name]]
        if name in self._keys:
            return [getattr(self, self._keys[name])]
        own = getattr(part.module, node.s("name"))
        if isinstance(own, torch.nn.Module):
            return [_Part(own, f"{name}.")]
        self._changed[name] = own  # a list is another copy each time that the script is asked for it
        return [own]

    def _loop(self, node: Any, given: list[Any], known: dict[int, Any]) -> list[Any]:
        (body,) = node.blocks()
        most, goes_on, *carried = given
        turn = 0
        while goes_on and turn < most:
            goes_on, *carried = self._run(
                body, known | dict(zip(_uniques(body.inputs()), (turn, *carried), strict=True))
            )
            turn += 1
        return carried


class _Place(NamedTuple):
    """A line of the script's own source."""

    file: str
    line: int
    text: str


def _find_place(node: Any) -> _Place | None:
    found = re.search(r'File "(.+)", line (\d+)\n(?:.*\n)*?(.*)\n.*<--- HERE', node.sourceRange())
    return _Place(found[1], int(found[2]), found[3].strip()) if found else None


def _tell_place(node: Any) -> str:
    place = _find_place(node)
    return f" at {PurePath(place.file).name}:{place.line}: {place.text:.80}" if place else ""


def _only_raises(block: Any) -> bool:
    return any(node.kind() == "prim::RaiseException" for node in block.nodes())


def _warn(node: Any) -> None:
    """Warn of a decision by a free length, which holds for others as well or not, as a trace warns of Python's."""
    if place := _find_place(node):
        warnings.warn_explicit("a decision by a length", torch.jit.TracerWarning, place.file, place.line)


def _find_numbers(graph: Any) -> Iterator[tuple[int, int]]:
    """Return the constants that are whole numbers in tensors, as traces have those that they compute lengths with."""
    for node in graph.findAllNodes("prim::Constant", recurse=True):
        value = node.output().toIValue()
        if isinstance(value, torch.Tensor) and value.dim() == 0 and value.dtype == torch.int64:
            yield node.output().unique(), int(value)


def _uniques(values: Any) -> list[int]:
    return [each.unique() for each in values]


_UNPACKING = {"prim::TupleUnpack", "prim::ListUnpack"}
_STRUCTURES: dict[str, Callable[[Any, list[Any]], Any]] = {
    "prim::Uninitialized": lambda _node, _given: None,
    "prim::ListConstruct": lambda _node, given: list(given),
    "prim::TupleConstruct": lambda _node, given: tuple(given),
    "prim::DictConstruct": lambda _node, given: dict(zip(given[::2], given[1::2], strict=True)),
    "prim::TupleIndex": lambda _node, given: given[0][given[1]],
    "prim::unchecked_cast": lambda _node, given: given[0],
    "prim::unchecked_unwrap_optional": lambda _node, given: given[0],
    "aten::_unwrap_optional": lambda _node, given: given[0],
    "prim::RaiseException": lambda _node, given: _raise(given[0]),
}
"""Nodes that no operator runs."""


def _raise(message: object) -> None:
    raise RuntimeError(str(message))


def _call(node: Any, given: list[Any]) -> Any:
    kind = node.kind()
    name = kind.partition("::")[2]
    is_plain = not any(isinstance(each, torch.Tensor) for each in given)
    if name in OF_TENSORS and isinstance(given[0], torch.Tensor):
        return OF_TENSORS[name](*given)
    if given and isinstance(given[0], (list, dict, str)) and name in OF_COLLECTIONS:
        return OF_COLLECTIONS[name](*given)
    if name in IDENTITIES:
        return IDENTITIES[name](*given)
    if is_plain and name in OF_NUMBERS:
        answer = OF_NUMBERS[name](*given)
        return torch.sym_float(answer) if node.output().type().kind() == "FloatType" else answer
    return _call_operator(node, given)


def _call_operator(node: Any, given: list[Any]) -> Any:
    if node.kind() == "aten::_convolution":  # with what it says to libraries, which ONNX has not; traces have it
        return torch.ops.aten.convolution.default(*given[:_OF_CONVOLUTION])
    space, _, name = node.kind().partition("::")
    overloads = getattr(getattr(torch.ops, space), name, None)
    if overloads is None or node.schema() == _NO_SCHEMA:
        raise NotImplementedError(f"{node.kind()}, which only TorchScript runs")
    schema = torch._C.parse_schema(node.schema())  # noqa: SLF001  # nothing else tells which arguments take names
    for argument, value in zip(schema.arguments, given, strict=True):
        if argument.alias_info and argument.alias_info.is_write and isinstance(value, (list, dict)):
            raise NotImplementedError(f"{node.kind()}, which would change a copy of its list")
    given = [_as_wanted(argument, value) for argument, value in zip(schema.arguments, given, strict=True)]
    args = [value for argument, value in zip(schema.arguments, given, strict=True) if not argument.kwarg_only]
    named = zip(schema.arguments[len(args) :], given[len(args) :], strict=True)
    overload = getattr(overloads, schema.overload_name or "default")
    answer = overload(*args, **{each.name: value for each, value in named})
    if isinstance(answer, (int, float)) and any(map(_is_free, given)):
        raise NotImplementedError(f"{node.kind()} of a free length")  # it has taken the example's
    return answer


def _as_wanted(argument: Any, value: Any) -> Any:
    """Return a number as a tensor where an operator takes one."""
    if argument.type.kind() != "TensorType" or not isinstance(value, (int, float, torch.SymInt, torch.SymFloat)):
        return value
    is_whole = isinstance(value, (int, torch.SymInt))
    return torch.scalar_tensor(value, dtype=torch.int64 if is_whole else torch.float32)


def _is_free(value: object) -> bool:
    return isinstance(value, (torch.SymInt, torch.SymFloat, torch.SymBool))


_NO_SCHEMA = "(no schema)"
_OF_CONVOLUTION = 9
"""Arguments of a convolution."""
