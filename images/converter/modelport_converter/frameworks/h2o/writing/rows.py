"""The rows of a model as values of a graph: its numbers, and what each level of a column stands for."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from modelport.api.spec import Input
from modelport.asking.h2o.scorer import NUMBERS, TEXTS
from modelport.verification.arrays import Array
from modelport_converter.frameworks.h2o.learned.columns import Slot
from modelport_converter.onnx_graphs.writing import ML
from modelport_converter.tables.frames import Block, Frame
from modelport_converter.tables.graph import TableGraph


class Rows(NamedTuple):
    """Rows of so many numbers."""

    graph: TableGraph
    frame: Frame
    """The columns of the table, in the order of `slots`."""
    slots: Sequence[Slot]
    width: int

    def table(self) -> str:
        """Return all numbers as genmodel has them, float64 [batch, width]: levels as codes, NaN where they are missing."""
        starts = {slot.start: number for number, slot in enumerate(self.slots) if slot.start >= 0}
        values, at, run = list[str](), 0, list[int]()
        while at < self.width or run:
            number = starts.get(at) if at < self.width else None
            if number is not None and not self.slots[number].codes.size:
                run.append(number)
                at += 1
                continue
            values += [block.value for block in self.frame.select(run).blocks] if run else []
            run = []
            if number is not None:
                values.append(self._looked_up(number, self.slots[number].codes))
                at += self.slots[number].codes.shape[1]
            elif at < self.width:
                values.append(self.constant(np.full(1, np.nan)))
                at += 1
        return self.graph.side_by_side(values)

    def numbers(self, features: Sequence[int]) -> str:
        """Return some numbers of each row, float64 [batch, features]."""
        places = {slot.start: number for number, slot in enumerate(self.slots) if not slot.codes.size}
        if all(feature in places for feature in features):
            return self.frame.select([places[feature] for feature in features]).numbers()
        return self.graph.columns(self.table(), features)

    def look_up(self, feature: int, table: Array) -> str:
        """Return what a level of a column stands for, float64 [batch, width], of a table whose last row is the missing one's."""
        (number,) = (number for number, slot in enumerate(self.slots) if slot.start == feature)
        return self._looked_up(number, table)

    def levels(self, feature: int) -> int:
        """Return how many levels a column has; of one with numbers 0. Raises ValueError where no column goes."""
        for slot in self.slots:
            if slot.start == feature:
                return max(len(slot.codes) - 1, 0)
        raise ValueError(f"no column for number {feature} of the rows")

    def offset(self) -> str | None:
        """Return what is added before the link, float64 [batch, 1]; None if nothing is."""
        found = [number for number, slot in enumerate(self.slots) if slot.column.offset]
        return self.frame.select(found).numbers() if found else None

    def constant(self, values: Array) -> str:
        """Return the same numbers for each row, float64 [batch, values]."""
        batch = self.graph.length(self.frame.blocks[0].value, 0)
        shape = self.graph.concat([batch, self.graph.lengths(len(values))], axis=0)
        return self.graph.add("Expand", np.asarray(values, np.float64)[None], shape)

    def _looked_up(self, number: int, table: Array) -> str:
        slot = self.slots[number]
        if not slot.places:
            return self.constant(table[-1])
        place = self.graph.add(
            "LabelEncoder",
            self.frame.column(number).value,
            domain=ML,
            keys_strings=[*slot.places],
            values_int64s=[*slot.places.values()],
            default_int64=len(table) - 1,
        )
        return self.graph.add("Gather", np.asarray(table, np.float64), self.graph.reshape(place, -1), axis=0)


def make_rows(graph: TableGraph, inputs: Sequence[Input], slots: Sequence[Slot], width: int) -> Rows:
    """Return the rows of inputs: one for each column, or one of all numbers and one of all texts."""
    by_name = {each.name: each for each in inputs}
    if all(slot.column.name in by_name for slot in slots):
        blocks = [Block(_value(graph, by_name[slot.column.name]), 1, slot.column.domain is not None) for slot in slots]
        return Rows(graph, Frame(graph, tuple(blocks)), slots, width)
    groups = {
        name: [number for number, slot in enumerate(slots) if (slot.column.domain is not None) == (name == TEXTS)]
        for name in (NUMBERS, TEXTS)
    }
    wide = [
        Block(_value(graph, by_name[name]), len(members), name == TEXTS) for name, members in groups.items() if members
    ]
    places = {number: place for place, number in enumerate((*groups[NUMBERS], *groups[TEXTS]))}
    whole = Frame(graph, tuple(wide)).select([places[number] for number in range(len(slots))])
    return Rows(graph, whole, slots, width)


def _value(graph: TableGraph, each: Input) -> str:
    value = each.name if len(each.shape) > 1 else graph.reshape(each.name, -1, 1)
    return value if each.dtype in ("string", "float64") else graph.cast(value, np.float64)
