"""Which inputs of floats are masks: by what the graph does with them, all the way to a softmax."""

from collections.abc import Iterator

import onnx

from modelport.verification.hints import LARGE, Hint, MaskUse, hint_of_mask
from modelport_converter.frameworks.onnx.hints.uses import Use, Uses
from modelport_converter.onnx_graphs.graphs import Constants, is_boolean

SOFTMAX = ("Softmax", "LogSoftmax")
SUMS = ("Add", "Sub")
ON_THE_WAY = (*SUMS, "Clip", "Max", "Min")
"""What may stand between the sum with a mask and the softmax, beside what carries."""
ATTENTION_MASK = 3
"""The input of Attention that is added."""


class Masks:
    """Tells which inputs of a graph are masks; `uses` is of its nodes."""

    def __init__(self, graph: onnx.GraphProto, uses: Uses, constants: Constants) -> None:
        self._constants = constants
        self._uses = uses
        self._producers = {output: node for node in graph.node for output in node.output}

    def hint(self, name: str) -> Hint | None:
        """Return a hint if an input of floats is used as a mask: compared with 0, taken from 1, added before a softmax."""
        return hint_of_mask(set(self._told_of(name, self._uses)))

    def _told_of(self, name: str, uses: Uses) -> Iterator[MaskUse]:
        """Return what is done with a value, wherever it is carried."""
        for each in uses.values(name, lambda use: use.is_carried):
            for use in uses.of(each):
                told = self._told(use, uses)
                if told:
                    yield told
                elif not use.is_carried and use.node.op_type not in {"Shape", "Size"}:
                    yield "number"
            for inner in uses.inner:
                yield from self._told_of(each, inner)

    def _told(self, use: Use, uses: Uses) -> MaskUse | None:
        node, number = use.node, self._number(use.other)
        if is_boolean(node) or (node.op_type == "Equal" and number in {0, 1}):
            return "mask"
        if node.op_type == "Sub" and number == 1 and self._hides(node.output[0], uses):
            return "mask"
        if self._is_large(use) and self._is_added(node.output[0], uses):
            return "mask"
        if node.op_type == "Attention" and use.position == ATTENTION_MASK:
            return "added"
        is_sum = node.op_type == "Add" and self._is_computed(use.other)
        return "added" if is_sum and uses.leads(node.output[0], _is_softmax, _is_on_the_way) else None

    def _hides(self, name: str, uses: Uses) -> bool:
        """Whether 1 minus a value is made large, or a condition."""
        return uses.leads(name, lambda use: is_boolean(use.node) or self._is_large(use), lambda use: use.is_carried)

    def _is_large(self, use: Use) -> bool:
        number = self._number(use.other)
        return use.node.op_type == "Mul" and number is not None and abs(number) >= LARGE

    def _is_added(self, name: str, uses: Uses) -> bool:
        """Whether what was made large is added to what a softmax takes, or taken from it."""
        return uses.leads(
            name,
            lambda use: use.node.op_type in SUMS and uses.leads(use.node.output[0], _is_softmax, _is_on_the_way),
            _is_on_the_way,
        )

    def _is_computed(self, name: str) -> bool:
        """Whether a value is neither an input nor a constant, even by another name or shape."""
        producer, seen = self._producers.get(name), set[str]()
        while producer is not None and Use(producer, 0).is_carried and name not in seen:
            seen.add(name)
            name = producer.input[0]
            producer = self._producers.get(name)
        return producer is not None

    def _number(self, name: str) -> float | None:
        """Return the only number of a constant."""
        known = self._constants.read(name) if name else None
        return float(known.ravel()[0]) if known is not None and known.size == 1 and known.dtype.kind in "fiu" else None


def _is_softmax(use: Use) -> bool:
    return use.node.op_type in SOFTMAX


def _is_on_the_way(use: Use) -> bool:
    return use.node.op_type in ON_THE_WAY or use.is_carried
