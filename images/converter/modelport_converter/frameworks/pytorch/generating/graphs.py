"""A whole ONNX model as a module: its nodes in order, its branches and loops as Python's."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from modelport.api.reasons import Reason
from modelport.asking.pytorch.names import Names
from modelport.errors import ModelportError
from modelport.verification.arrays import Array
from modelport_converter.frameworks.pytorch.generating.code import Blueprint, Code
from modelport_converter.frameworks.pytorch.generating.folding import fold
from modelport_converter.frameworks.pytorch.generating.nodes import Node, UnsupportedError, shape_in
from modelport_converter.frameworks.pytorch.generating.operators import OPERATORS
from modelport_converter.frameworks.pytorch.generating.operators.layers import linear
from modelport_converter.frameworks.pytorch.generating.ranks import find_rank
from modelport_converter.frameworks.pytorch.generating.source import write_source
from modelport_converter.frameworks.pytorch.generating.support import loops
from modelport_converter.frameworks.pytorch.generating.values import DTYPES, Value
from modelport_converter.onnx_graphs.files import opset_of
from modelport_converter.onnx_graphs.graphs import NUMBERS, infer_tensors, nodes_of
from modelport_converter.onnx_graphs.naming import with_own_names

FIRST_OPSET = 7
"""Before, operators broadcast in another way."""
CONTROL = ("If", "Loop")
MAX_TOLD = 6


class Generated(NamedTuple):
    """A module as source, and its weights."""

    source: str
    state: dict[str, torch.Tensor]
    names: Names
    decisions: tuple[str, ...] = ()
    """Branches and loops that depend on values."""


def generate(model: onnx.ModelProto) -> Generated:
    """Return the module of a model that has all its weights inside. Raises ModelportError (ConversionFailed)."""
    if opset_of(model) < FIRST_OPSET:
        message = f"expected operator set {FIRST_OPSET} or newer, found {opset_of(model)}"
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    _check_operators(model)
    model = with_own_names(model)
    return _Writer(model).write()


def _check_operators(model: onnx.ModelProto) -> None:
    """Name all operators that have no code, with their nodes."""
    missing: dict[str, list[str]] = {}
    for node in nodes_of(model):
        domain = "" if node.domain in ("", "ai.onnx") else f"{node.domain}."
        if domain or node.op_type not in (*OPERATORS, *CONTROL, "Constant"):
            missing.setdefault(f"{domain}{node.op_type}", []).append(node.name or node.output[0])
    if missing:
        told = "; ".join(f"{kind}: {', '.join(names[:MAX_TOLD])}" for kind, names in sorted(missing.items()))
        message = f"PyTorch's modules are not generated of these operators: {told:.400}"
        raise ModelportError(Reason.CONVERSION_FAILED, message)


class _Writer:
    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._version = opset_of(model)
        self._types: Mapping[str, onnx.TypeProto.Tensor] = infer_tensors(model)
        self._module = Blueprint()
        self._code = Code(self._module)
        self._refused: list[str] = []
        self._decisions: list[str] = []
        self._uses: dict[str, int] = {}
        for node in nodes_of(model):
            for name in node.input:
                self._uses[name] = self._uses.get(name, 0) + 1
        for value in model.graph.output:
            self._uses[value.name] = self._uses.get(value.name, 0) + 1

    def write(self) -> Generated:
        graph = self._model.graph
        constants = {each.name for each in graph.initializer}
        inputs = [each.name for each in graph.input if each.name not in constants]
        outputs = [each.name for each in graph.output]
        taken = [self._code.fresh(name) for name in inputs]
        self._code.values |= {name: Value(own) for name, own in zip(inputs, taken, strict=True)}
        self._run(graph)
        if self._refused:
            told = "; ".join(self._refused[:MAX_TOLD])
            more = f" and {len(self._refused) - MAX_TOLD} more" if len(self._refused) > MAX_TOLD else ""
            message = f"PyTorch's modules are not generated of {told:.400}{more}"
            raise ModelportError(Reason.CONVERSION_FAILED, message)
        answers = [self._as_tensor(name) for name in outputs]
        names = Names(inputs, outputs)
        source = write_source(self._module, taken, self._code.lines, answers, names)
        return Generated(source, self._module.state, names, tuple(self._decisions))

    def _as_tensor(self, name: str) -> str:
        return self._code.tensor(self._code.values[name], name)

    def _run(self, graph: onnx.GraphProto) -> None:
        for tensor in graph.initializer:
            self._code.values[tensor.name] = Value(array=numpy_helper.to_array(tensor))
        if graph.sparse_initializer:
            self._refused.append("sparse initializers")
        skipped: set[str] = set()
        for place, node in enumerate(graph.node):
            if node.output[0] in skipped:
                continue
            try:
                if not self._join(graph.node, place, skipped):
                    self._add(node)
            except UnsupportedError as error:
                self._refuse(node, str(error))
            except KeyError as error:  # it follows from a node that was refused
                if not self._refused:
                    raise
                self._refuse(node, f"without {error}", is_told=False)

    def _refuse(self, node: onnx.NodeProto, why: str, *, is_told: bool = True) -> None:
        if is_told:
            self._refused.append(f"{node.op_type} {why} ({node.name or node.output[0]})")
        for name in node.output:
            self._code.values.pop(name, None)

    def _add(self, proto: onnx.NodeProto) -> None:
        if proto.op_type == "Constant":
            self._code.values[proto.output[0]] = Value(array=_constant_of(proto))
            return
        if proto.op_type in CONTROL:
            self._control(proto)
            return
        node = Node(proto, self._code, self._types, self._version)
        folded = fold(node)
        if folded is not None:
            self._code.values |= dict(zip(proto.output, folded, strict=False))
            return
        made: Any = OPERATORS[proto.op_type](node)
        rank = find_rank(node)
        if rank is not None:
            self._code.ranks |= dict.fromkeys(proto.output, rank)
        results = made if isinstance(made, list) else [made]
        for name, result in zip(proto.output, results, strict=False):
            if name:
                self._code.values[name] = result if isinstance(result, Value) else self._named(name, result)

    def _named(self, name: str, text: str) -> Value:
        return Value(text if text.isidentifier() else self._code.assign(name, text))

    def _join(self, nodes: Sequence[onnx.NodeProto], place: int, skipped: set[str]) -> bool:
        """Write a product and the addition of a row behind it as one layer; tell whether there was such a pair."""
        proto = nodes[place]
        if proto.op_type != "MatMul" or self._uses.get(proto.output[0]) != 1:
            return False
        weight = self._code.values[proto.input[1]].constant
        if weight is None or weight.ndim != 2 or weight.dtype.kind != "f":  # noqa: PLR2004
            return False
        for other in nodes[place + 1 :]:
            if proto.output[0] in other.input:
                break
        else:
            return False
        if other.op_type != "Add":
            return False
        row = self._code.values.get(next(name for name in other.input if name != proto.output[0]), Value()).constant
        if row is None or row.shape != (weight.shape[1],):
            return False
        node = Node(proto, self._code, self._types, self._version)
        self._code.ranks |= dict.fromkeys(other.output, node.rank(0) or 2) if node.rank(0) else {}
        self._code.values[other.output[0]] = self._named(other.output[0], linear(node, weight.T, row, node.tensor(0)))
        skipped.add(other.output[0])
        return True

    def _control(self, proto: onnx.NodeProto) -> None:
        attributes = {each.name: each.g for each in proto.attribute if each.HasField("g")}
        if proto.op_type == "If":
            self._branch(proto, attributes["then_branch"], attributes["else_branch"])
        else:
            self._loop(proto, attributes["body"])

    def _branch(self, proto: onnx.NodeProto, yes: onnx.GraphProto, no: onnx.GraphProto) -> None:
        condition = self._code.values[proto.input[0]]
        known = condition.constant
        if known is not None:
            graph = yes if bool(known.reshape(-1)[0]) else no
            before = set(self._code.values)
            self._run(graph)
            found = {name: self._code.values[each.name] for name, each in zip(proto.output, graph.output, strict=True)}
            self._code.values = {name: each for name, each in self._code.values.items() if name in before} | found
            return
        self._decisions.append(f"If ({proto.name or proto.output[0]})")
        names = [self._code.fresh(name) for name in proto.output]
        for head, graph in ((f"if bool({self._code.tensor(condition)}):", yes), ("else:", no)):
            with self._code.block(head):
                self._run(graph)
                for own, each in zip(names, graph.output, strict=True):
                    self._code.line(f"{own} = {self._as_tensor(each.name)}")
        self._code.values |= {name: Value(own) for name, own in zip(proto.output, names, strict=True)}

    def _loop(self, proto: onnx.NodeProto, body: onnx.GraphProto) -> None:
        self._decisions.append(f"Loop ({proto.name or proto.output[0]})")
        count, goes_on, *carried = body.input
        states = [
            self._code.assign(each.name, self._as_tensor(name))
            for each, name in zip(carried, proto.input[2:], strict=True)
        ]
        turn = self._code.assign("turn", "0")
        going = self._code.assign("goes_on", f"bool({self._as_tensor(proto.input[1])})" if proto.input[1] else "True")
        kept = [self._code.fresh(each.name) for each in body.output[1 + len(states) :]]
        for own in kept:
            self._code.line(f"{own}: list[Tensor] = []")
        most = ""
        if proto.input[0]:
            most = self._code.assign("most", Node(proto, self._code, self._types, self._version).length(0))
        with self._code.block(f"while {going}{f' and {turn} < {most}' if most else ''}:"):
            self._code.values[count.name] = Value(self._code.assign(count.name, f"torch.tensor({turn})"))
            self._code.values[goes_on.name] = Value(self._code.assign(goes_on.name, f"torch.tensor({going})"))
            self._code.values |= {each.name: Value(own) for each, own in zip(carried, states, strict=True)}
            self._run(body)
            results = [self._as_tensor(each.name) for each in body.output]
            self._code.line(f"{going} = bool({results[0]})")
            for own, text in zip(kept, results[1 + len(states) :], strict=True):
                self._code.line(f"{own}.append({text})")
            held = [self._code.assign(f"{own}_next", text) for own, text in zip(states, results[1:], strict=False)]
            for own, text in zip(states, held, strict=True):
                self._code.line(f"{own} = {text}")
            self._code.line(f"{turn} += 1")
        turns = [
            self._code.assign(own, self._stacked(own, each.name))
            for own, each in zip(kept, body.output[1 + len(states) :], strict=True)
        ]
        found = [*map(Value, states), *map(Value, turns)]
        self._code.values |= dict(zip(proto.output, found, strict=True))

    def _stacked(self, kept: str, name: str) -> str:
        dtype, shape = (
            DTYPES.get(self._types[name].elem_type if name in self._types else 0),
            shape_in(self._types, name),
        )
        if dtype is None or shape is None:
            return f"torch.stack({kept})"
        # a length that nothing tells is 0 where there was no turn, as in ONNX Runtime
        lengths = [0, *(each or 0 for each in shape)]
        return self._code.call(loops.stack_turns, kept, f"torch.empty({lengths}, dtype={dtype})")


def _constant_of(node: onnx.NodeProto) -> Array:
    (attribute,) = node.attribute
    if attribute.name == "value":
        return numpy_helper.to_array(attribute.t)
    if attribute.name not in NUMBERS:
        raise UnsupportedError(f"of {attribute.name}")
    return np.asarray(onnx.helper.get_attribute_value(attribute), NUMBERS[attribute.name])
