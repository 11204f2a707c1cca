"""The columns of a table: what a model takes, and as values of a graph. Numbers are float64, missing ones NaN; a missing text is empty."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from modelport_converter.tables.graph import TableGraph

Category = str | float
MISSING = ""
"""The text that stands for a missing one."""
OTHER = "a text that the model does not know"


class Column(NamedTuple):
    """One column of the table that a model was trained on."""

    name: str
    categories: tuple[Category, ...] = ()
    """What it holds, where the model numbers it in this order; empty: numbers as they are."""
    texts: tuple[str, ...] = ()
    """What to ask where it holds texts; with none the user's own samples tell."""
    holds_text: bool = False
    thresholds: tuple[float, ...] = ()
    """Numbers at which the answers jump."""
    codes: tuple[int, ...] = ()
    """The only whole numbers that are answered, where the model refuses others."""
    is_exact: bool = False
    """Whether the thresholds are what its numbers must equal, so that rounded ones mean something else."""
    is_missing_known: bool = False
    """Whether a missing number, or a missing text, is answered."""

    @property
    def is_text(self) -> bool:
        """Whether it holds texts."""
        return self.holds_text or any(isinstance(each, str) for each in self.categories)

    @property
    def is_wide(self) -> bool:
        """Whether it has numbers that are others in float32, such as 0.1 and 16777217, and means those alone."""
        exact = (*self.categories, *(self.thresholds if self.is_exact else ()))
        return any(not isinstance(each, str) and float(np.float32(each)) != each for each in exact)


class Block(NamedTuple):
    """Columns beside each other in one value [batch, width]."""

    value: str
    width: int
    is_text: bool = False


class Frame(NamedTuple):
    """A table as values of a graph."""

    graph: TableGraph
    blocks: tuple[Block, ...]
    names: tuple[str, ...] = ()
    """Of the columns, where they have some."""
    is_sparse: bool = False
    """Whether the library passes it on without its zeros, which some models take for missing numbers."""

    @classmethod
    def of(cls, graph: TableGraph, value: str, width: int, *, is_text: bool = False) -> Self:
        """Return the table that is one value."""
        return cls(graph, (Block(value, width, is_text),))

    @property
    def width(self) -> int:
        """Number of columns."""
        return sum(block.width for block in self.blocks)

    def numbers(self) -> str:
        """Return all columns as one matrix of float64. Raises ValueError for texts."""
        if any(block.is_text for block in self.blocks):
            raise ValueError("expected numbers, found texts that nothing encodes")
        return self.graph.side_by_side([block.value for block in self.blocks])

    def column(self, index: int) -> Block:
        """Return one column."""
        return self.select([index]).blocks[0]

    def select(self, indices: Sequence[int]) -> "Frame":
        """Return some columns, in this order."""
        starts = np.cumsum([0, *(block.width for block in self.blocks)])
        blocks: list[Block] = []
        places = [int(np.searchsorted(starts, index, "right")) - 1 for index in indices]
        begin = 0
        for end in range(1, len(indices) + 1):
            if end < len(indices) and places[end] == places[begin]:
                continue
            block = self.blocks[places[begin]]
            own = [int(index - starts[places[begin]]) for index in indices[begin:end]]
            if own == [*range(block.width)]:
                blocks.append(block)
            else:
                blocks.append(Block(self.graph.columns(block.value, own), len(own), block.is_text))
            begin = end
        names = tuple(self.names[index] for index in indices) if self.names else ()
        return self._replace(blocks=tuple(blocks), names=names)


def join(graph: TableGraph, frames: Sequence[Frame]) -> Frame:
    """Return tables side by side."""
    names = [name for frame in frames for name in frame.names]
    blocks = tuple(block for frame in frames for block in frame.blocks)
    is_sparse = any(frame.is_sparse for frame in frames)
    return Frame(graph, blocks, tuple(names) if len(names) == sum(block.width for block in blocks) else (), is_sparse)


def write_codes(frame: Frame, columns: Sequence[Column]) -> Frame:
    """Return the table with the columns that have categories as their numbers, NaN for what is none of them."""
    blocks, rest = list[Block](), list[int]()
    for index, column in enumerate(columns):
        if not column.categories:
            rest.append(index)
            continue
        if rest:
            blocks += frame.select(rest).blocks
        rest = []
        blocks.append(Block(_codes(frame.graph, frame.column(index), column.categories), 1))
    return frame._replace(blocks=(*blocks, *(frame.select(rest).blocks if rest else ())))


def _codes(graph: TableGraph, block: Block, categories: Sequence[Category]) -> str:
    found = find_in(graph, block, categories)
    return graph.add(
        "Where", graph.add("Less", found, np.array(0, np.int64)), float("nan"), graph.cast(found, np.float64)
    )


def find_in(graph: TableGraph, block: Block, categories: Sequence[object]) -> str:
    """Return the place of a column's values among categories, int64 [batch, 1]; -1 for what is none of them."""
    if block.is_text:
        keys = [str(each) for each in categories]
        places = [*range(len(keys))]
        return graph.add(
            "LabelEncoder", block.value, domain="ai.onnx.ml", keys_strings=keys, values_int64s=places, default_int64=-1
        )
    known = np.array([categories], np.float64)
    same = graph.cast(graph.add("Equal", block.value, known), np.int64)
    place = graph.add("ArgMax", same, axis=1, keepdims=1)
    return graph.add(
        "Sub",
        graph.add("Mul", graph.add("Add", place, np.array(1, np.int64)), graph.sum_of(same, 1, keepdims=True)),
        np.array(1, np.int64),
    )
