"""Trees of H2O as a forest, from their bytes.

Format: hex.genmodel.algos.tree.SharedTreeMojoModel.scoreTree (h2o-genmodel 3.46), little-endian. A node: its kind (1 byte), its
column (2 bytes; 65535: a leaf instead), where missing values go (1 byte), a number or a set of codes, the size of the left
side where that is no leaf, the left side, the right side. A leaf: float32. Versions 1.0 and 1.1 have sets of whole bytes.
"""

import math
import struct
from typing import NamedTuple

import numpy as np

from modelport_converter.frameworks.h2o.learned.model import Learned
from modelport_converter.tables.forest import Forest, Reading

NO_COLUMN = 65535
NA_VS_REST, NA_LEFT, LEFT = 1, 2, 4
DIRECTIONS = range(6)
"""Numbers of hex.genmodel.algos.tree.NaSplitDir; 0 should be in no tree that is finished."""
SIDE, SET, SMALL_SET = 51, 12, 8
"""Bits of a kind: what the left side is; whether a set is asked for."""
SIZE_OF_SIDE = range(4)
"""Values of SIDE for a side of nodes: one byte less than those of its size."""
LEFT_LEAF, RIGHT_LEAF = 48, 0x40
SMALL = 32
"""Codes of a set that has no size of its own."""
NEWEST, WITH_BITS, WITH_RANGE = 1.4, 1.2, 1.1
"""Versions: that are read; whose sets have bits; whose codes beyond a set are missing ones."""
MAX_TREES = 1_000_000


class _Set(NamedTuple):
    """Codes from `start` on."""

    start: int
    bits: np.ndarray


class _Pending(NamedTuple):
    """A side of a node that is to come."""

    parent: int
    side: int
    start: int
    is_leaf: bool
    last: _Set | None
    """The last set on the way, which a later node looks at again."""


def read_forest(model: Learned, groups: int) -> tuple[Forest, int]:
    """Return the trees of each group, and how many steps they count for. Raises ValueError and ModelportError."""
    model.check_version(NEWEST)
    if model.mojo.info.get("endianness", "LITTLE_ENDIAN") != "LITTLE_ENDIAN":
        model.refuse("endianness BIG_ENDIAN")
    steps = model.count("n_trees", most=MAX_TREES)
    forest = Forest(is_below=True, width=model.width)
    known = set(model.files.names)
    for group in range(groups):
        for step in range(steps):
            name = f"trees/t{group:02d}_{step:03d}.bin"
            if name in known:  # there is none of a class that training did not see
                forest.begin(group)
                _Tree(model, forest, model.files.read(name), name).read()
    return forest, steps


class _Tree:
    """One tree. Its sides follow each other without a gap, so that no byte is read twice."""

    def __init__(self, model: Learned, forest: Forest, content: bytes, name: str) -> None:
        self._model, self._forest, self._content, self._name, self._at = model, forest, content, name, 0

    def read(self) -> None:
        """Add the tree. Raises ValueError and ModelportError."""
        pending = [_Pending(-1, 0, 0, is_leaf=False, last=None)]
        while pending:
            parent, side, start, is_leaf, last = pending.pop()
            self._check(start == self._at, f"a side that begins at {start}, not {self._at}")
            kind, column = (0, NO_COLUMN) if is_leaf else self._take("<BH")
            if column == NO_COLUMN:
                (value,) = self._take("<f")
                if parent < 0:
                    self._forest.add_stump(value)
                else:
                    self._forest.connect(parent, side, self._forest.add_leaf(value), is_leaf=True)
                continue
            node, left, last = self._read_test(kind, column, last)
            if parent >= 0:
                self._forest.connect(parent, side, node, is_leaf=False)
            mask = kind & SIDE
            self._check(mask in SIZE_OF_SIDE or mask == LEFT_LEAF, f"a node of kind {kind}")
            size = 4 if mask == LEFT_LEAF else int.from_bytes(self._bytes(mask + 1), "little")
            end = self._at + size
            pending.append(_Pending(node, 1 - left, end, bool(kind & RIGHT_LEAF), last))
            pending.append(_Pending(node, left, self._at, mask == LEFT_LEAF, last))
        self._check(self._at == len(self._content), f"{len(self._content) - self._at} bytes behind the last leaf")

    def _read_test(self, kind: int, column: int, last: _Set | None) -> tuple[int, int, _Set | None]:
        """Return the new node, which of its sides is the left one, and the last set."""
        self._check(column < self._model.width, f"column {column} of {self._model.width}")
        (direction,) = self._take("<B")
        self._check(direction in DIRECTIONS, f"a direction {direction}")
        is_left = direction in (NA_LEFT, LEFT)
        equal = kind & SET
        self._check(equal in (0, SMALL_SET, SET), f"a node of kind {kind}")
        if equal == 0 and direction != NA_VS_REST:
            (threshold,) = self._take("<f")
            self._check(not math.isnan(threshold), "a threshold that is no number")
            return self._forest.add_split(column, threshold, missing_true=is_left), 0, last
        if equal == 0:  # all numbers to the left; nothing is below -inf
            return self._forest.add_split(column, -math.inf, missing_true=True), 1, last
        if direction != NA_VS_REST:
            last = self._read_set(equal)
        return *self._add_set(column, direction, is_left, last), last

    def _read_set(self, equal: int) -> _Set:
        start, size = 0, SMALL // 8
        count = SMALL
        if equal == SET and self._model.version >= WITH_BITS:
            start, count = self._take("<Hi")
            self._check(count > 0, f"a set of {count} codes")
            size = (count - 1) // 8 + 1
        elif equal == SET:
            start, size = self._take("<HH")
            count = size * 8
        bits = np.unpackbits(np.frombuffer(self._bytes(size), np.uint8), bitorder="little")
        return _Set(start, bits[:count])

    def _add_set(self, column: int, direction: int, is_left: bool, last: _Set | None) -> tuple[int, int]:
        domain = self._model.domain(column)
        if domain is None:
            self._model.refuse(f"{self._name}: a set of levels of column {column}, which has numbers")
        codes = np.arange(len(domain))
        within = np.ones(len(codes), bool)
        right = np.zeros(len(codes), bool)
        if last is not None:
            within = (codes >= last.start) & (codes < last.start + len(last.bits))
        if direction != NA_VS_REST and last is not None:
            right[within] = last.bits[codes[within] - last.start] != 0
        if self._model.version >= WITH_RANGE:
            right[~within] = not is_left
        left_codes, right_codes = (frozenset(np.nonzero(side)[0].tolist()) for side in (~right, right))
        # a column of a set holds 0 for its members, which is below 0.5
        if left_codes:
            place = self._forest.column_of(Reading(column, left_codes))
            return self._forest.add_split(place, 0.5, missing_true=is_left), 0
        if right_codes:
            place = self._forest.column_of(Reading(column, right_codes))
            return self._forest.add_split(place, 0.5, missing_true=not is_left), 1
        return self._forest.add_split(column, -math.inf, missing_true=is_left), 0

    def _take(self, form: str) -> tuple[int, ...]:
        return struct.unpack(form, self._bytes(struct.calcsize(form)))

    def _bytes(self, count: int) -> bytes:
        self._check(self._at + count <= len(self._content), f"{len(self._content)} bytes")
        self._at += count
        return self._content[self._at - count : self._at]

    def _check(self, is_right: bool, found: str) -> None:
        if not is_right:
            raise ValueError(f"{self._name}, byte {self._at}: {found}")
