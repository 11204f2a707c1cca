"""The graph of a symbol as ONNX: nodes without inputs are computed by MXNet, all others written one by one."""

from collections.abc import Sequence

import mxnet as mx
import numpy as np
import onnx

from modelport.verification.arrays import Array
from modelport_converter.frameworks.mxnet.symbols.checking import answer_inputs
from modelport_converter.frameworks.mxnet.symbols.model import Inferred, Model, computed_type
from modelport_converter.frameworks.mxnet.symbols.operators.node import Call, Origin, Shape, Value
from modelport_converter.frameworks.mxnet.symbols.operators.operators import OPERATORS
from modelport_converter.frameworks.mxnet.symbols.reading.graphs import VARIABLE, Entry
from modelport_converter.onnx_graphs.writing import GraphWriter, value_info


def build(model: Model, inferred: tuple[Inferred, Inferred]) -> onnx.ModelProto:
    """Return the model as ONNX; `inferred` are two choices of lengths. Raises ModelportError."""
    return _Building(model, *inferred).build()


class _Building:
    def __init__(self, model: Model, one: Inferred, other: Inferred) -> None:
        self.model, self.one, self.other = model, one, other
        inputs = [each.name for each in model.inputs]
        self.graph = GraphWriter(taken=[*inputs, *model.outputs])
        self.values: dict[Entry, Value] = {}
        self.inputs = {each.name: each for each in model.inputs}

    def build(self) -> onnx.ModelProto:
        nodes = self.model.graph.nodes
        constants = self._find_constants()
        self._take_constants(constants)
        for number in self._order():
            node = nodes[number]
            if (number, 0) in self.values or number in constants:
                continue
            if node.operator == VARIABLE:
                self.values[number, 0] = self._input(node.name, (number, 0))
                continue
            self.graph.scope = node.name
            self._write(number)
        return self._finish()

    def _input(self, name: str, entry: Entry) -> Value:
        given, wanted = np.dtype(self.inputs[name].dtype), computed_type(self.inputs[name])
        return Value(name if given == wanted else self.graph.cast(name, wanted), self._shape(entry), wanted)

    def _order(self) -> list[int]:
        """Return the nodes that the answers follow from."""
        found, waiting = set[int](), [node for node, _ in self.model.graph.heads]
        while waiting:
            number = waiting.pop()
            if number not in found:
                found.add(number)
                waiting += [each for each, _ in answer_inputs(self.model.graph.nodes[number])]
        return sorted(found)

    # --- what follows from no input ---

    def _find_constants(self) -> set[int]:
        """Return the nodes whose results are always the same."""
        found = set[int]()
        for number in self._order():
            node = self.model.graph.nodes[number]
            if node.operator == VARIABLE:
                is_constant = node.name not in self.inputs
            else:
                is_constant = all(each in found for each, _ in answer_inputs(node)) and self._is_fixed(number)
            if is_constant:
                found.add(number)
        return found

    def _is_fixed(self, number: int) -> bool:
        return all(None not in self._shape(entry) for entry in self.one.entries if entry[0] == number)

    def _take_constants(self, constants: set[int]) -> None:
        nodes = self.model.graph.nodes
        read = {entry for number in self._order() if number not in constants for entry in answer_inputs(nodes[number])}
        wanted = sorted(entry for entry in {*read, *self.model.graph.heads} if entry[0] in constants)
        computed = [entry for entry in wanted if nodes[entry[0]].operator != VARIABLE]
        arrays = dict(zip(computed, self._compute(computed), strict=True))
        for entry in wanted:
            array = arrays[entry] if entry in arrays else self.model.weights[nodes[entry[0]].name]
            self.values[entry] = Value(array, array.shape, array.dtype)

    def _compute(self, entries: Sequence[Entry]) -> list[Array]:
        if not entries:
            return []
        inner = self.model.symbol.get_internals()
        places = {entry: place for place, entry in enumerate(self.one.entries)}
        asked = mx.sym.Group([inner[places[entry]] for entry in entries])
        weights = self.model.weights
        with mx.util.np_shape(self.model.is_numpy):
            given, kept = (
                {name: mx.nd.array(weights[name], dtype=weights[name].dtype) for name in names}
                for names in (asked.list_arguments(), asked.list_auxiliary_states())
            )
            executor = asked.bind(mx.cpu(), given, grad_req="null", aux_states=kept)
            return [each.asnumpy() for each in executor.forward(is_train=False)]

    # --- what follows from the inputs ---

    def _write(self, number: int) -> None:
        node = self.model.graph.nodes[number]
        given = [self.values[each] if each in self.values else _unread() for each in node.inputs]
        entries = sorted(entry for entry in self.one.entries if entry[0] == number)
        outputs = [Value("", self._shape(entry), self.one.types[entry]) for entry in entries]
        call = Call(node, self.graph, given, outputs, self._origins(entries[0]))
        results = OPERATORS[node.operator].write(call)
        names = [results] if isinstance(results, str) else list(results)
        for entry, value in zip(node.inputs, call.inputs, strict=True):
            if entry in self.values:  # a weight that was added once is not added again
                self.values[entry] = value
        for entry, name, output in zip(entries, names, outputs, strict=False):
            self.values[entry] = output._replace(operand=name)

    def _shape(self, entry: Entry) -> Shape:
        pairs = zip(self.one.entries[entry], self.other.entries[entry], strict=True)
        return tuple(length if length == other else None for length, other in pairs)

    def _origins(self, entry: Entry) -> list[Origin | None]:
        known = {
            pair: (each.name, axis)
            for each in reversed(self.model.inputs)
            for axis, pair in enumerate(zip(self.one.shapes[each.name], self.other.shapes[each.name], strict=True))
            if isinstance(each.shape[axis], str)
        }
        return [known.get(pair) for pair in zip(self.one.entries[entry], self.other.entries[entry], strict=True)]

    def _finish(self) -> onnx.ModelProto:
        outputs = []
        for head, name in zip(self.model.graph.heads, self.model.outputs, strict=True):
            if head not in self.values:
                node = self.model.graph.nodes[head[0]]
                raise Call(node, self.graph, [], []).refuse("expected its first output alone", f"output {head[1]}")
            value = self.values[head]
            self.graph.scope = ""
            self.graph.add("Identity", self.graph.weight(value.operand), out=name)
            shape = [
                length if length is not None else self._name(origin, f"{name}_{axis}")
                for axis, (length, origin) in enumerate(zip(value.shape, self._origins(head), strict=True))
            ]
            outputs.append(value_info(name, str(self.one.types[head]), shape))
        inputs = [value_info(each.name, each.dtype, each.shape) for each in self.model.inputs]
        return self.graph.finish("mxnet", inputs, outputs)

    def _name(self, origin: Origin | None, other: str) -> str:
        return str(self.inputs[origin[0]].shape[origin[1]]) if origin else other


def _unread() -> Value:
    """Return what stands for a label, which nothing reads."""
    return Value("", (), np.dtype(np.float32))
