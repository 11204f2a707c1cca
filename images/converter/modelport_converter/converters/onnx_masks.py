"""Which inputs of floats are masks: by what the graph does with them, all the way to a softmax."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import onnx

from modelport.verification.hints import Hint
from modelport_converter.converters.onnx_graphs import CARRIERS, Constants, is_boolean, subgraphs_of

Told = Literal["mask", "added", "number"]
Nodes = Sequence[onnx.NodeProto]
LARGE = 1_000.0
"""What is multiplied by this and more, and added, hides."""
SOFTMAX = ("Softmax", "LogSoftmax")
ON_THE_WAY = ("Add", "Sub", "Clip", "Max", "Min")
"""What may stand between the sum with a mask and the softmax, beside what carries."""
ATTENTION_MASK = 3
"""The input of Attention that is added."""


class Use(NamedTuple):
    """A value as one of a node's inputs."""

    node: onnx.NodeProto
    position: int

    @property
    def is_carried(self) -> bool:
        """Whether the node hands it on as it is."""
        carried = CARRIERS.get(self.node.op_type, ())
        return (carried is None or self.position in carried) and not is_boolean(self.node)

    @property
    def other(self) -> str:
        """The first of a node's two inputs, seen from the second, and the reverse."""
        return self.node.input[1 - self.position] if len(self.node.input) == 2 and self.position < 2 else ""  # noqa: PLR2004


def find_mask(graph: onnx.GraphProto, name: str, constants: Constants) -> Hint | None:
    """Return a hint if an input of floats is used as a mask: compared with 0, taken from 1, added before a softmax."""
    told = set(_Masks(graph, constants).told(name, graph.node, set()))
    if "added" in told and "number" not in told:
        return Hint(is_added=True)
    return Hint(is_mask=True, is_number="number" in told) if "mask" in told else None


class _Masks:
    def __init__(self, graph: onnx.GraphProto, constants: Constants) -> None:
        self._constants = constants
        self._producers = {output: node for node in graph.node for output in node.output}

    def told(self, name: str, nodes: Nodes, seen: set[str]) -> Iterator[Told]:
        """Return what is done with a value, wherever it is carried."""
        if name in seen:
            return
        seen.add(name)
        for use in _uses(name, nodes):
            told = self._told(use, nodes)
            if told:
                yield told
            elif use.is_carried:
                for output in use.node.output:
                    yield from self.told(output, nodes, seen)
            elif use.node.op_type not in {"Shape", "Size"}:
                yield "number"
        for inner in subgraphs_of(nodes):
            yield from self.told(name, inner.node, seen - {name})

    def _told(self, use: Use, nodes: Nodes) -> Told | None:
        node, number = use.node, self._number(use.other)
        if is_boolean(node) or (node.op_type == "Equal" and number in {0, 1}):
            return "mask"
        if node.op_type == "Sub" and number == 1 and self._hides(node.output[0], nodes):
            return "mask"
        if self._is_large(use) and self._reaches_softmax(node.output[0], nodes, set()):
            return "mask"
        if node.op_type == "Attention" and use.position == ATTENTION_MASK:
            return "added"
        is_sum = node.op_type == "Add" and self._is_computed(use.other)
        return "added" if is_sum and self._reaches_softmax(node.output[0], nodes, set()) else None

    def _hides(self, name: str, nodes: Nodes) -> bool:
        """Whether 1 minus a value is made large, or a condition."""
        return any(
            is_boolean(use.node) or self._is_large(use) or (use.is_carried and self._hides(use.node.output[0], nodes))
            for use in _uses(name, nodes)
        )

    def _is_large(self, use: Use) -> bool:
        number = self._number(use.other)
        return use.node.op_type == "Mul" and number is not None and abs(number) >= LARGE

    def _reaches_softmax(self, name: str, nodes: Nodes, seen: set[str]) -> bool:
        if name in seen:
            return False
        seen.add(name)
        return any(
            use.node.op_type in SOFTMAX
            or (
                (use.node.op_type in ON_THE_WAY or use.is_carried)
                and self._reaches_softmax(use.node.output[0], nodes, seen)
            )
            for use in _uses(name, nodes)
        )

    def _is_computed(self, name: str) -> bool:
        """Whether a value is neither an input nor a constant, even by another name or shape."""
        producer = self._producers.get(name)
        return producer is not None and (not Use(producer, 0).is_carried or self._is_computed(producer.input[0]))

    def _number(self, name: str) -> float | None:
        """Return the only number of a constant."""
        known = self._constants.read(name) if name else None
        return float(known.ravel()[0]) if known is not None and known.size == 1 and known.dtype.kind in "fiu" else None


def _uses(name: str, nodes: Nodes) -> Iterator[Use]:
    return (Use(node, at) for node in nodes for at, given in enumerate(node.input) if given == name)
