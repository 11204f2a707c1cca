"""XGBoost's files in JSON and in UBJSON (Booster.save_model), which hold the same.

Format: doc/model.schema and src/tree/tree_model.cc of XGBoost; decisions: src/predictor/predict_fn.h, src/common/categorical.h.
"""

import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array
from modelport_converter.frameworks.tabular.boosters import ubjson
from modelport_converter.frameworks.tabular.boosters.model import (
    Boosted,
    check,
    read_whole,
    reading,
    refuse,
)
from modelport_converter.tables.forest import Forest, Reading
from modelport_converter.tables.frames import Category, Column

LEAF = -1
LARGEST_CODE = 1 << 24
MAX_COLUMNS = 1 << 20
SMALLEST_PROBABILITY = np.float32(1e-6)
"""Base scores nearer to 0 and 1 are this far from them (ProbToMargin of regression_loss.h)."""
LINKS = {
    "reg:squarederror": "identity",
    "reg:squaredlogerror": "identity",
    "reg:linear": "identity",
    "reg:absoluteerror": "identity",
    "reg:pseudohubererror": "identity",
    "reg:quantileerror": "identity",
    "binary:logitraw": "identity",
    "rank:pairwise": "identity",
    "rank:ndcg": "identity",
    "rank:map": "identity",
    "reg:logistic": "sigmoid",
    "binary:logistic": "sigmoid",
    "binary:hinge": "positive",
    "count:poisson": "exp",
    "reg:gamma": "exp",
    "reg:tweedie": "exp",
    "survival:cox": "exp",
    "survival:aft": "exp",
    "multi:softprob": "softmax",
    "multi:softmax": "argmax",
}
LINEAR, GBLINEAR_SINCE = "gblinear", (1, 7)
"""Linear models of older versions are answered with another base score since: of 1.3 they are, of 1.7 not."""
RAW, RAW_SINCE = "binary:logitraw", (1, 3)
"""The same of this objective: of 1.2 they are, of 1.3 not."""
SAVED_BY_CLASS = "scikit_learn"
"""The attribute of files that XGBoost's classes for scikit-learn wrote."""


class _Tree(msgspec.Struct):
    left_children: list[int]
    right_children: list[int]
    split_indices: list[int]
    split_conditions: list[float]
    default_left: list[bool | int]
    tree_param: dict[str, str]
    split_type: list[int] = []
    categories: list[int] = []
    categories_nodes: list[int] = []
    categories_segments: list[int] = []
    categories_sizes: list[int] = []
    base_weights: list[float] = []
    leaf_weights: list[float] = []


class _Encoded(msgspec.Struct):
    values: list[float]
    offsets: list[int] | None = None


class _Categories(msgspec.Struct):
    enc: list[_Encoded] = []


class _Model(msgspec.Struct):
    trees: list[_Tree] = []
    tree_info: list[int] = []
    weights: list[float] = []
    iteration_indptr: list[int] = []
    gbtree_model_param: dict[str, str] = {}
    cats: _Categories = msgspec.field(default_factory=_Categories)


class _Dropping(msgspec.Struct):
    model: _Model


class _Booster(msgspec.Struct):
    name: str
    model: _Model | None = None
    gbtree: _Dropping | None = None
    weight_drop: list[float] | None = None


class _Learner(msgspec.Struct):
    gradient_booster: _Booster
    learner_model_param: dict[str, str]
    objective: dict[str, Any]
    attributes: dict[str, str] = {}
    feature_names: list[str] = []
    feature_types: list[str] = []


class _File(msgspec.Struct):
    learner: _Learner
    version: list[int] = []


def read_xgboost(path: Path) -> Boosted:
    """Return the model of a file. Raises ModelportError: SourceCorrupt, ConversionFailed."""
    with reading(path.name, "a model of XGBoost in JSON or UBJSON"):
        return parse_xgboost(read_whole(path))


def parse_xgboost(content: bytes, rounds: int | None = None) -> Boosted:
    """Return the model of a file's content, with so many rounds alone if that is told.

    Raises what `reading` turns into an error.
    """
    refuse_binary(content)
    if content[1:2] in ubjson.INTEGERS and content[1:2] != b'"':
        found = msgspec.convert(ubjson.decode(content), _File, strict=False)
    else:
        try:
            found = msgspec.json.decode(content, type=_File)
        except msgspec.DecodeError:  # with NaN or Infinity in it, as XGBoost writes, and Python reads
            found = msgspec.convert(json.loads(content), _File)
    _check_version(found.learner, tuple(found.version))
    return _boosted(found.learner, rounds)


def _check_version(learner: _Learner, version: tuple[int, ...]) -> None:
    """Refuse what XGBoost answers otherwise since. Raises ModelportError (ConversionFailed)."""
    told = ".".join(map(str, version))
    if version < GBLINEAR_SINCE and learner.gradient_booster.name == LINEAR:
        raise refuse(f"a gblinear model of XGBoost {told}, which answers otherwise since", "load and save it with 1.7")
    if version < RAW_SINCE and learner.objective.get("name") == RAW:
        raise refuse(f"a model of {RAW} of XGBoost {told}, which answers otherwise since", "train it with a newer one")


def refuse_binary(content: bytes) -> None:
    """Refuse XGBoost's old binary form by name. Raises ModelportError (ConversionFailed)."""
    if content.startswith((b"binf", b"bs64")) or not content.startswith(b"{"):
        message = (
            "the binary form that XGBoost wrote before 1.0, and read until 3.0: load it with an XGBoost between the "
            "two, such as 2.1, and save it as model.json"
        )
        raise ModelportError(Reason.CONVERSION_FAILED, message)


def _boosted(learner: _Learner, rounds: int | None) -> Boosted:
    booster, parameters = learner.gradient_booster, learner.learner_model_param
    model = booster.gbtree.model if booster.gbtree else booster.model
    if model is None:
        raise ValueError(f"no model of booster {booster.name!s:.50}")
    width = int(parameters["num_feature"])
    groups = max(1, int(parameters.get("num_class", "0")), int(parameters.get("num_target", "1")))
    check(0 < width <= MAX_COLUMNS and groups <= MAX_COLUMNS, f"{width} columns, {groups} answers")
    objective = str(learner.objective.get("name"))
    if objective not in LINKS:
        raise refuse(f"objective {objective:.100}: XGBoost's own are known alone", "save it with one of XGBoost's own")
    rounds = _rounds(learner) if rounds is None else rounds
    forest, weights = Forest(is_below=True, width=width), None
    if booster.name == LINEAR:
        found = np.array(model.weights, np.float64)
        check(found.size == (width + 1) * groups, f"{found.size} weights of {width} columns and {groups} answers")
        weights = found.reshape(width + 1, groups)
    else:
        _add_trees(forest, model, booster.weight_drop, groups, rounds)
    base = _base(parameters["base_score"], objective, groups)
    return Boosted(
        _columns(learner, model, width),
        forest,
        # XGBoost 3.2 adds the first base score to every answer of a linear model
        base if weights is None else base[0] + weights[-1],
        LINKS[objective],
        weights=None if weights is None else weights[:-1],
        is_classifier='"_estimator_type": "classifier"' in learner.attributes.get(SAVED_BY_CLASS, ""),
        is_multilabel=LINKS[objective] == "sigmoid" and groups > 1,
        is_rounded=True,
    )


def _rounds(learner: _Learner) -> int | None:
    """Return how many rounds count: XGBoost's classes of scikit-learn stop at the best one, a Booster does not."""
    best = learner.attributes.get("best_iteration")
    return int(best) + 1 if best is not None and SAVED_BY_CLASS in learner.attributes else None


def _base(text: str, objective: str, groups: int) -> Array:
    """Return the margins that a base score stands for: one number, or since 3.1 a list of one or as many as groups.

    It is stored as an answer, whose margin is computed in float32; where the link has no inverse, as a margin.
    """
    scores = np.array([float(each) for each in text.strip("[]").split(",")], np.float32)
    check(scores.size in (1, groups), f"{scores.size} base scores of {groups} answers")
    one = np.float32(1)
    with np.errstate(all="ignore"):
        if LINKS[objective] == "sigmoid":
            scores = -np.log(one / np.clip(scores, SMALLEST_PROBABILITY, one - SMALLEST_PROBABILITY) - one)
        elif LINKS[objective] == "exp":
            scores = np.log(scores)
    check(bool(np.isfinite(scores).all()), f"the base score {text:.50} of {objective}")
    return np.resize(scores.astype(np.float64), groups)


def _columns(learner: _Learner, model: _Model, width: int) -> list[Column]:
    names = learner.feature_names
    if len(names) != width or len(set(names)) != width:
        names = [f"f{number}" for number in range(width)]
    encoded = model.cats.enc
    if len(encoded) != width:
        return [Column(name) for name in names]
    return [Column(name, _categories(each)) for name, each in zip(names, encoded, strict=True)]


def _categories(encoded: _Encoded) -> tuple[Category, ...]:
    if encoded.offsets is None:
        return tuple(encoded.values)
    content = bytes(int(each) & 0xFF for each in encoded.values)  # of int8
    if not content.isascii():  # XGBoost's Python package counts letters where these are bytes, and cuts texts apart
        raise refuse(
            "categories with letters beyond ASCII, which XGBoost stores cut short", "train it with other names"
        )
    bounds = encoded.offsets
    check(bounds == sorted(bounds) and (not bounds or bounds[-1] <= len(content)), "categories beyond their texts")
    return tuple(content[begin:end].decode() for begin, end in pairwise(bounds))


def _add_trees(forest: Forest, model: _Model, scales: Sequence[float] | None, groups: int, rounds: int | None) -> None:
    count = len(model.trees)
    check(len(model.tree_info) == count, f"{len(model.tree_info)} numbers in tree_info of {count} trees")
    check(scales is None or len(scales) == count, "weight_drop of another length than the trees")
    declared = int(model.gbtree_model_param.get("num_trees", count))
    check(declared == count, f"{count} trees where num_trees says {declared}")
    if not count:
        raise refuse("a model of no trees, whose base score is none yet", "train it for one round at least")
    if rounds is not None:
        parallel = max(1, int(model.gbtree_model_param.get("num_parallel_tree", "1")))
        bounds = model.iteration_indptr or [*range(0, count + 1, groups * parallel)]
        count = bounds[rounds] if rounds < len(bounds) else count
    for number, tree in enumerate(model.trees[:count]):
        check(0 <= model.tree_info[number] < groups, f"a tree for answer {model.tree_info[number]} of {groups}")
        forest.begin(model.tree_info[number])
        _add_tree(forest, tree, scales[number] if scales else 1.0, groups)


def _add_tree(forest: Forest, tree: _Tree, scale: float, groups: int) -> None:
    leaves = _leaves(tree, groups) * scale
    count, sets = len(tree.left_children), _sets(tree)
    lengths = {
        len(each) for each in (tree.right_children, tree.split_indices, tree.split_conditions, tree.default_left)
    }
    check(count > 0 and lengths == {count}, f"lists of {count} and {sorted(lengths)} nodes")
    check(not tree.split_type or len(tree.split_type) == count, "split_type of another length")
    if tree.left_children[0] == LEAF:
        forest.add_stump(leaves[0])
        return
    places: list[tuple[int, int, int]] = [(0, -1, 0)]
    seen = set[int]()
    while places:
        node, parent, side = places.pop()
        check(0 <= node < count and node not in seen, f"a child {node} of {count} nodes, or one of two")
        seen.add(node)
        is_leaf = tree.left_children[node] == LEAF
        if is_leaf:
            own = forest.add_leaf(leaves[node])
        else:
            own = _add_split(forest, tree, node, sets)
            # a member of a set goes right, all else left
            left, right = (1, 0) if node in sets else (0, 1)
            places += [(tree.right_children[node], own, right), (tree.left_children[node], own, left)]
        if parent >= 0:
            forest.connect(parent, side, own, is_leaf=is_leaf)


def _leaves(tree: _Tree, groups: int) -> Array:
    """Return what nodes give where they are leaves, float64 [nodes, 1], or of a tree for all answers [nodes, groups]."""
    size, count = int(tree.tree_param.get("size_leaf_vector", "1")), len(tree.left_children)
    if size <= 1:
        return np.array(tree.split_conditions, np.float32).astype(np.float64)[:, None]
    check(size == groups, f"leaves of {size} numbers for {groups} answers")
    found = np.array(tree.leaf_weights or tree.base_weights, np.float32).astype(np.float64).reshape(-1, size)
    if not tree.leaf_weights:  # before 3.2 by node
        check(len(found) == count, f"{len(found)} leaves of {count} nodes")
        return found
    # a leaf's right child is its number among them
    numbers = [
        right if left == LEAF else 0 for left, right in zip(tree.left_children, tree.right_children, strict=True)
    ]
    check(all(0 <= each < len(found) for each in numbers), f"a leaf beyond {len(found)}")
    return found[numbers]


def _sets(tree: _Tree) -> Mapping[int, frozenset[int]]:
    found = {}
    bounds = zip(tree.categories_nodes, tree.categories_segments, tree.categories_sizes, strict=True)
    for node, begin, size in bounds:
        check(0 <= begin <= begin + size <= len(tree.categories), f"categories {begin} to {begin + size}")
        members = frozenset(tree.categories[begin : begin + size])
        check(all(0 <= each <= LARGEST_CODE for each in members), "a category below 0 or too large")
        found[node] = members
    return found


def _add_split(forest: Forest, tree: _Tree, node: int, sets: Mapping[int, frozenset[int]]) -> int:
    feature, default_left = tree.split_indices[node], bool(tree.default_left[node])
    check(0 <= feature < forest.width, f"column {feature} of {forest.width}")
    if node in sets:
        if not sets[node]:
            raise ValueError(f"no categories of node {node}")
        return forest.add_split(forest.column_of(Reading(feature, sets[node])), 0.5, missing_true=not default_left)
    check(not tree.split_type or tree.split_type[node] == 0, f"no categories of node {node}")
    threshold = float(np.float32(tree.split_conditions[node]))
    check(not math.isnan(threshold), "a threshold that is no number")
    return forest.add_split(feature, threshold, missing_true=default_left)
