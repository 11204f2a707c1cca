"""Decision trees of any library: nodes that compare one column with one number, and leaves that give numbers."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

import numpy as np

from modelport.verification.arrays import Array

CODES = 256
"""Codes of a column that are asked."""
Thresholds = tuple[tuple[float, ...], ...]


class Reading(NamedTuple):
    """How a node looks at a column, where it does not compare its number as it is."""

    feature: int
    members: frozenset[int] = frozenset()
    """The codes whose nodes go to the true side, if it is a set that is asked for."""
    zero: float = 0.0
    """Up to this size a number is missing; 0: none is."""
    is_cut: bool = False
    """Whether the code of a number between two is the one nearer to 0, and not the lower one."""

    @property
    def is_set(self) -> bool:
        """Whether the node asks for a member of a set."""
        return bool(self.members)


@dataclass
class Forest:
    """Trees in columns, as the operator TreeEnsemble has them: a node's children are nodes, or leaves, by number.

    A node goes to its true side where column <= threshold, or < it with `is_below`.
    """

    is_below: bool = False
    roots: list[int] = field(default_factory=list)
    features: list[int] = field(default_factory=list)
    thresholds: list[float] = field(default_factory=list)
    missing_true: list[bool] = field(default_factory=list)
    """Whether a missing number goes to the true side."""
    children: list[list[int]] = field(default_factory=lambda: [[], []])
    """True and false sides."""
    leaf_children: list[list[bool]] = field(default_factory=lambda: [[], []])
    leaves: list[Array] = field(default_factory=list)
    """Numbers that each leaf gives, float64; of a tree with one target one number."""
    leaf_trees: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    """By tree, what it counts for, where its leaves give one number."""
    readings: dict[Reading, int] = field(default_factory=dict)
    """Numbers of the columns behind the table's own that nodes look at instead."""
    width: int = 0
    """Columns of the table."""

    def column_of(self, reading: Reading) -> int:
        """Return the number of the column that a node is to compare."""
        if not reading.members and not reading.zero:
            return reading.feature
        return self.width + self.readings.setdefault(reading, len(self.readings))

    def begin(self, target: int = 0) -> None:
        """Begin a tree."""
        self.targets.append(target)

    def add_split(self, column: int, threshold: float, *, missing_true: bool) -> int:
        """Add a node, whose children are told by `connect`, and return its number; the first one is the root."""
        number = len(self.features)
        self.features.append(column)
        self.thresholds.append(threshold)
        self.missing_true.append(missing_true)
        for side in (0, 1):
            self.children[side].append(0)
            self.leaf_children[side].append(False)
        if len(self.roots) < len(self.targets):
            self.roots.append(number)
        return number

    def add_leaf(self, values: Array | float) -> int:
        """Add a leaf and return its number."""
        self.leaves.append(np.atleast_1d(np.asarray(values, np.float64)))
        self.leaf_trees.append(len(self.targets) - 1)
        return len(self.leaves) - 1

    def connect(self, split: int, side: int, child: int, *, is_leaf: bool) -> None:
        """Say what is on the true (0) or false side (1) of a node."""
        self.children[side][split] = child
        self.leaf_children[side][split] = is_leaf

    def add_stump(self, values: Array | float) -> None:
        """Finish a tree that is one leaf: a node whose sides are the same."""
        leaf, root = self.add_leaf(values), self.add_split(0, 0.0, missing_true=True)
        for side in (0, 1):
            self.connect(root, side, leaf, is_leaf=True)

    def thresholds_by_column(self) -> Thresholds:
        """Return what the columns of the table are compared with; the codes of sets are among them."""
        codes = (
            (feature, float(code)) for feature, last in self.codes().items() for code in range(min(last, CODES) + 2)
        )
        return by_column(chain(zip(self._own_columns(), self.thresholds, strict=True), codes), self.width)

    def codes(self) -> Mapping[int, int]:
        """Return the largest code that a set has, by column."""
        found: dict[int, int] = {}
        for reading in self.readings:
            if reading.is_set:
                found[reading.feature] = max(found.get(reading.feature, 0), *reading.members)
        return found

    def _own_columns(self) -> list[int]:
        zeros = {number: reading.feature for reading, number in self.readings.items() if not reading.is_set}
        return [column if column < self.width else zeros.get(column - self.width, -1) for column in self.features]


def by_column(found: Iterable[tuple[int, float]], width: int) -> Thresholds:
    """Return numbers by column, in order; those of columns below 0 are left out."""
    columns: list[set[float]] = [set() for _ in range(width)]
    for column, number in found:
        if 0 <= column < width and not math.isnan(number):
            columns[column].add(float(number))
    return tuple(tuple(sorted(numbers)) for numbers in columns)


def round_down(thresholds: Array) -> Array:
    """Return the largest float32 that is not above each float64: x <= t decides alike for every x of float32."""
    with np.errstate(over="ignore"):
        rounded = thresholds.astype(np.float32)
    above = rounded.astype(np.float64) > thresholds
    return np.where(above, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def round_up(thresholds: Array) -> Array:
    """Return the smallest float32 that is not below each float64: x < t decides alike for every x of float32."""
    return -round_down(-thresholds)
