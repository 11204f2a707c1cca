"""LightGBM's text files (Booster.save_model): a header, trees as lists of numbers, parameters, categories of pandas.

Format and decisions: src/boosting/gbdt_model_text.cpp, src/io/tree.cpp and include/LightGBM/tree.h of LightGBM 4.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.tabular.boosters.model import (
    Boosted,
    check,
    read_whole,
    reading,
    refuse,
)
from modelport_converter.tables.forest import Forest, Reading
from modelport_converter.tables.frames import Category, Column

CATEGORICAL, DEFAULT_LEFT = 1, 2
"""Bits of decision_type; the next two say what is missing."""
NOTHING, ZERO, NAN = range(3)
"""What is missing: nothing, so that NaN is 0; zeros, and NaN as one of them; NaN."""
SMALLEST = float(np.float32(1e-35))
"""Numbers up to this size are 0 (kZeroThreshold)."""
END = re.compile(r"^(?:end of trees|feature importances:)", re.MULTILINE)
"""What is behind the last tree; before 2.2 its mark was not there yet."""
LINKS = {
    "": "identity",
    "custom": "identity",
    "regression": "identity",
    "regression_l1": "identity",
    "huber": "identity",
    "fair": "identity",
    "quantile": "identity",
    "mape": "identity",
    "lambdarank": "identity",
    "rank_xendcg": "identity",
    "poisson": "exp",
    "gamma": "exp",
    "tweedie": "exp",
    "binary": "sigmoid",
    "cross_entropy": "sigmoid",
    "xentropy": "sigmoid",
    "cross_entropy_lambda": "log1p_exp",
    "xentlambda": "log1p_exp",
    "multiclass": "softmax",
    "multiclassova": "sigmoid",
}
MAX_COLUMNS = 1 << 20
Fields = Mapping[str, str]


def read_lightgbm(path: Path) -> Boosted:
    """Return the model of a file. Raises ModelportError: SourceCorrupt, ConversionFailed."""
    with reading(path.name, "a text model of LightGBM"):
        return parse_lightgbm(read_whole(path).decode())


def parse_lightgbm(text: str) -> Boosted:
    """Return the model of a text. Raises ValueError, LookupError, msgspec.MsgspecError, ModelportError."""
    check(text.startswith("tree\n"), f"a beginning of {text[:20]!r} instead of 'tree'")
    head, *blocks = re.split(r"^Tree=", text, flags=re.MULTILINE)
    check(not blocks or END.search(blocks[-1]) is not None, f"no end behind {len(blocks)} trees")
    fields = _fields(head)
    declared = len(fields.get("tree_sizes", "").split())
    check(declared == len(blocks), f"{len(blocks)} trees where tree_sizes has {declared}")
    groups, width = int(fields["num_tree_per_iteration"]), int(fields["max_feature_idx"]) + 1
    check(0 < groups <= MAX_COLUMNS and 0 < width <= MAX_COLUMNS, f"{groups} trees a round, {width} columns")
    check(len(blocks) % groups == 0, f"{len(blocks)} trees, which are no whole rounds of {groups}")
    forest = Forest(width=width)
    for number, block in enumerate(blocks):
        forest.begin(number % groups)
        _add_tree(forest, _fields(END.split(block)[0]))
    name, _, rest = fields.get("objective", "").partition(" ")
    link, parameters = _link(name, rest.split())
    return Boosted(
        _columns(text, fields, width),
        forest,
        np.zeros(groups),
        link,
        parameters,
        divisor=max(1, len(blocks) // groups) if re.search(r"^average_output$", head, re.MULTILINE) else 1,
    )


def _fields(block: str) -> Fields:
    return {name: value for name, sign, value in (line.partition("=") for line in block.splitlines()) if sign}


def _link(name: str, words: Sequence[str]) -> tuple[str, Mapping[str, float]]:
    if name not in LINKS:
        raise refuse(
            f"objective {name:.100}: LightGBM's own are known alone", "set the objective to custom for raw scores"
        )
    told = {word.partition(":")[0]: word.partition(":")[2] for word in words}
    if "sqrt" in words:
        return "signed_square", {}
    return LINKS[name], {"scale": float(told["sigmoid"])} if "sigmoid" in told else {}


def _columns(text: str, fields: Fields, width: int) -> list[Column]:
    names = fields.get("feature_names", "").split(" ")
    if len(names) != width or len(set(names)) != width:
        names = [f"Column_{number}" for number in range(width)]
    told = re.search(r"^pandas_categorical:(.*)$", text, re.MULTILINE)
    found = msgspec.json.decode(told[1].encode(), type=list[list[str | float | bool]] | None) if told else None
    listed = re.search(r"^\[categorical_feature: ([\d,]+)\]$", text, re.MULTILINE)
    places = sorted({int(each) for each in listed[1].split(",")}) if listed else []
    if not found:
        return [Column(name) for name in names]
    if len(found) == width:
        places = [*range(width)]
    _check_places(fields, found, places, width)
    by_place: dict[int, tuple[Category, ...]] = {
        place: tuple(each if isinstance(each, str) else float(each) for each in categories)
        for place, categories in zip(places, found, strict=True)
    }
    return [Column(name, by_place.get(number, ())) for number, name in enumerate(names)]


def _check_places(fields: Fields, found: Sequence[Sequence[object]], places: Sequence[int], width: int) -> None:
    """Refuse a file that does not tell which columns pandas numbered: those of ordered categories are told nowhere.

    Raises ModelportError (ConversionFailed).
    """
    ranges = fields.get("feature_infos", "").split()
    codes = [ranges[place] if len(ranges) == width and place < width else "" for place in places]
    is_right = len(found) == len(places) and all(place < width for place in places)
    for told, categories in zip(codes, found, strict=False):
        numbers = () if told in ("", "none") or told.startswith("[") else map(int, told.split(":"))
        is_right = is_right and all(number < len(categories) for number in numbers)
    if not is_right:
        raise refuse(
            f"{len(found)} columns with categories of pandas, where {len(places)} are categorical_feature: LightGBM does not "
            "tell which ones pandas numbered",
            "train with categories that are not ordered, and without categorical_feature, or number them before the model",
        )


def _add_tree(forest: Forest, fields: Fields) -> None:
    count = int(fields["num_leaves"])
    if int(fields.get("is_linear", "0")):
        raise refuse("linear_tree: leaves that are linear models are not converted", "train with linear_tree=False")
    values = [float(each) for each in fields["leaf_value"].split()]
    check(len(values) == max(count, 1), f"{len(values)} values of {count} leaves")
    if count <= 1:
        forest.add_stump(values[0])
        return
    lists = {
        name: _numbers(fields, name, count - 1)
        for name in ("split_feature", "decision_type", "left_child", "right_child")
    }
    thresholds = [float(each) for each in fields["threshold"].split()]
    check(len(thresholds) == count - 1, f"{len(thresholds)} thresholds of {count - 1} nodes")
    sets = list(_sets(fields))
    leaves = [forest.add_leaf(value) for value in values]
    splits = [
        _add_split(forest, feature, decision, threshold, sets)
        for feature, decision, threshold in zip(lists["split_feature"], lists["decision_type"], thresholds, strict=True)
    ]
    for side, name in enumerate(("left_child", "right_child")):
        for number, child in enumerate(lists[name]):
            check(-count <= child < count - 1 and (child < 0 or child > number), f"a child {child} of node {number}")
            forest.connect(splits[number], side, leaves[~child] if child < 0 else splits[child], is_leaf=child < 0)


def _numbers(fields: Fields, name: str, count: int) -> list[int]:
    found = [int(each) for each in fields[name].split()]
    check(len(found) == count, f"{len(found)} of {count} numbers in {name}")
    return found


def _sets(fields: Fields) -> Iterator[frozenset[int]]:
    """Return the categories that go left, from bits in words of 32."""
    if not int(fields.get("num_cat", "0")):
        return
    bounds = [int(each) for each in fields["cat_boundaries"].split()]
    words: Array = np.array([int(each) for each in fields["cat_threshold"].split()], np.uint32)
    check(
        bounds[0] == 0 and bounds[-1] == len(words) and bounds == sorted(bounds), "cat_boundaries beyond cat_threshold"
    )
    for begin, end in pairwise(bounds):
        bits = np.unpackbits(words[begin:end].astype("<u4").view(np.uint8), bitorder="little")
        yield frozenset(np.flatnonzero(bits).tolist())


def _add_split(forest: Forest, feature: int, decision: int, threshold: float, sets: Sequence[frozenset[int]]) -> int:
    check(0 <= feature < forest.width, f"column {feature} of {forest.width}")
    if decision & CATEGORICAL:
        members = sets[int(threshold)]
        if not members:  # nothing goes left
            return forest.add_split(feature, -np.inf, missing_true=False)
        column = forest.column_of(Reading(feature, members, is_cut=True))
        return forest.add_split(column, 0.5, missing_true=False)  # NaN is no category, and goes right
    missing, default = decision >> 2 & 3, bool(decision & DEFAULT_LEFT)
    check(missing <= NAN and not np.isnan(threshold), f"decision_type {decision}, threshold {threshold}")
    if 0 <= threshold < SMALLEST:  # numbers around 0 are 0 before anything is compared
        threshold = SMALLEST
    elif -SMALLEST <= threshold < 0:
        threshold = np.nextafter(-SMALLEST, -np.inf)
    if missing == ZERO:
        return forest.add_split(forest.column_of(Reading(feature, zero=SMALLEST)), threshold, missing_true=default)
    return forest.add_split(feature, threshold, missing_true=default if missing == NAN else threshold >= 0)
