"""Follows values of a graph to what uses them."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import onnx

from modelport_converter.onnx_graphs.graphs import CARRIERS, is_boolean, subgraphs_of


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


class Uses:
    """Who uses which value, among nodes that see one another's values."""

    def __init__(self, nodes: Sequence[onnx.NodeProto]) -> None:
        """Look at each node once: a graph may have a hundred thousand of them."""
        self._uses: dict[str, list[Use]] = {}
        for node in nodes:
            for position, name in enumerate(node.input):
                if name:  # an input may be left out
                    self._uses.setdefault(name, []).append(Use(node, position))
        self.inner: list[Uses] = [Uses(graph.node) for graph in subgraphs_of(nodes)]

    def of(self, name: str) -> list[Use]:
        """Return the uses of a value."""
        return self._uses.get(name, [])

    def values(self, name: str, goes_on: Callable[[Use], bool]) -> Iterator[str]:
        """Return a value, and all that it becomes by uses that go on."""
        names, seen = [name], set[str]()
        while names:
            each = names.pop()
            if each not in seen:
                seen.add(each)
                yield each
                names += [output for use in self.of(each) if goes_on(use) for output in use.node.output]

    def leads(self, name: str, ends: Callable[[Use], bool], goes_on: Callable[[Use], bool]) -> bool:
        """Whether a value comes to a use that ends, by uses that go on."""
        return any(ends(use) for each in self.values(name, goes_on) for use in self.of(each))
