"""What XGBoost saved in a MOJO: its old binary form, little-endian, as biz.k11i.xgboost (xgboost-predictor 0.3.20) reads it."""

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from modelport.verification.arrays import Array
from modelport_converter.frameworks.h2o.learned.model import Learned
from modelport_converter.tables.forest import Forest

FILE, MARK = "boosterBytes", b"binf"
SPARK = (b"_cls_", b"_reg_")
PARAMETERS, BOOSTER, TREE, STATISTICS, LINEAR = "<fIiiiII108x", "<4iq2i128x", "<6i124x", 16, "<Ii128x"
"""Of the learner, of a booster of trees, of a tree, bytes of what is told beside each of its nodes, of weights."""
NODES = np.dtype([("parent", "<i4"), ("left", "<i4"), ("right", "<i4"), ("index", "<u4"), ("value", "<f4")])
MAX_NAME, MAX_GROUPS, MAX_FEATURES = 100, 100_000, 100_000_000
DEFAULT_LEFT = 1 << 31
NO_CHILD = -1


class Booster(NamedTuple):
    """Trees, or weights."""

    objective: str
    groups: int
    """Sums that it gives."""
    base: np.float32
    """What sums begin with, as objectives take it."""
    version: tuple[int, int]
    trees: list[Array]
    """Nodes of each tree: fields `left`, `right`, `index`, `value`."""
    tree_groups: list[int]
    scales: list[np.float32]
    """What the leaves of each tree are multiplied with."""
    weights: Array | None
    """float32 [features + 1, groups]; the last row is the bias."""
    features: int


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def take(self, form: str) -> tuple[int, ...]:
        """Return numbers."""
        return struct.unpack(form, self.bytes(struct.calcsize(form)))

    def bytes(self, count: int) -> bytes:
        """Return so many bytes."""
        if count < 0 or count > len(self._content) - self._at:
            raise ValueError(f"{FILE} of {len(self._content)} bytes where {count} are due at {self._at}")
        self._at += count
        return self._content[self._at - count : self._at]

    def name(self) -> str:
        """Return a text that its length is before."""
        (length,) = self.take("<q")
        if not 0 <= length <= MAX_NAME:
            raise ValueError(f"{FILE}: a name of {length} bytes")
        return self.bytes(length).decode()

    def array(self, kind: DTypeLike, count: int) -> Array:
        """Return an array."""
        return np.frombuffer(self.bytes(np.dtype(kind).itemsize * count), kind)


def read_booster(model: Learned) -> Booster:
    """Return what is in the file. Raises ValueError and ModelportError."""
    content = model.files.read(FILE)
    if content[3:8] in SPARK:
        model.refuse("a booster of Spark's")
    reader = _Reader(content.removeprefix(MARK))
    base, features, classes, has_buffer, _, *version = reader.take(PARAMETERS)
    objective, kind = reader.name(), reader.name()
    if not 0 <= classes <= MAX_GROUPS or features > MAX_FEATURES:
        raise ValueError(f"{FILE}: num_class = {classes}, num_feature = {features}")
    booster = Booster(objective, classes or 1, np.float32(base), (version[0], version[1]), [], [], [], None, features)
    if kind == "gblinear":
        reader.take(LINEAR)
        (count,) = reader.take("<q")
        if count != (features + 1) * booster.groups:
            raise ValueError(f"{FILE}: {count} weights of {features} features")
        return booster._replace(weights=reader.array("<f4", count).reshape(features + 1, booster.groups))
    if kind not in ("gbtree", "dart"):
        model.refuse(f"booster {kind:.40}")
    return _read_trees(reader, booster, has_buffer=bool(has_buffer), is_dart=kind == "dart")


def _read_trees(reader: _Reader, booster: Booster, *, has_buffer: bool, is_dart: bool) -> Booster:
    count, _, _, _, buffered, _, size_of_leaf = reader.take(BOOSTER)
    trees = []
    for _ in range(max(count, 0)):
        _, nodes, *_ = reader.take(TREE)
        if nodes < 1:
            raise ValueError(f"{FILE}: a tree of {nodes} nodes")
        trees.append(reader.array(NODES, nodes))
        reader.bytes(nodes * STATISTICS)
    groups = reader.array("<i4", max(count, 0)).tolist()
    if any(not 0 <= group < booster.groups for group in groups):
        raise ValueError(f"{FILE}: trees of groups {groups[:4]}")
    scales = [np.float32(1)] * len(trees)
    if is_dart and trees:
        if buffered and has_buffer:
            reader.bytes(8 * booster.groups * buffered * (size_of_leaf + 1))
        (length,) = reader.take("<q")
        if length < len(trees):
            raise ValueError(f"{FILE}: {length} weights of {len(trees)} trees")
        weights = reader.array("<f4", length)
        # genmodel takes weights by a tree's place in its group, and not by its place among all
        places = [groups[:number].count(group) for number, group in enumerate(groups)]
        scales = [weights[place] for place in places]
    return booster._replace(trees=trees, tree_groups=groups, scales=scales)


def used_features(booster: Booster) -> list[int]:
    """Return the features that nodes compare, in order."""
    found: set[int] = set()
    for nodes in booster.trees:
        found.update((nodes["index"][nodes["left"] != NO_CHILD] & (DEFAULT_LEFT - 1)).tolist())
    return sorted(found)


def make_forest(booster: Booster, features: list[int]) -> Forest:
    """Return the trees, which compare the columns of these features. Raises ValueError."""
    columns = {feature: column for column, feature in enumerate(features)}
    forest = Forest(is_below=True, width=len(features))
    for nodes, scale in zip(booster.trees, booster.scales, strict=True):
        forest.begin()
        _add_tree(forest, nodes, scale, columns)
    return forest


def _add_tree(forest: Forest, nodes: Array, scale: np.float32, columns: dict[int, int]) -> None:
    pending, seen = [(-1, 0, 0)], 0
    lefts, rights, indices, values = (nodes[name].tolist() for name in ("left", "right", "index", "value"))
    scaled = (nodes["value"] * scale).astype(np.float64).tolist()
    while pending:
        parent, side, number = pending.pop()
        seen += 1
        if not 0 <= number < len(lefts) or seen > len(lefts):
            raise ValueError(f"{FILE}: a tree of {len(lefts)} nodes that goes to node {number}")
        if lefts[number] == NO_CHILD:
            if parent < 0:
                forest.add_stump(scaled[number])
            else:
                forest.connect(parent, side, forest.add_leaf(scaled[number]), is_leaf=True)
            continue
        if np.isnan(values[number]):
            raise ValueError(f"{FILE}: a threshold that is no number")
        index = indices[number]
        node = forest.add_split(columns[index & (DEFAULT_LEFT - 1)], values[number], missing_true=index >= DEFAULT_LEFT)
        if parent >= 0:
            forest.connect(parent, side, node, is_leaf=False)
        pending += [(node, 1, rights[number]), (node, 0, lefts[number])]
