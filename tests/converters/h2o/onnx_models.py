"""MOJOs written here, with random trees, and what genmodel answers to a row, computed from the same trees."""

import io
import struct
import zipfile
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

LEVELS = ("red", "blue", "n.a.", *(f"town {number}" for number in range(40)))
COLUMNS = ("age", "income", "town")
TOWN = 2
OLDEST, BITS, NEWEST = 1.0, 1.2, 1.4
"""Versions of MOJOs: BITS is the first one whose sets have lengths in bits."""
NA_VS_REST, NA_LEFT, NA_RIGHT, LEFT, RIGHT = range(1, 6)


class Node(NamedTuple):
    """A node of a tree; a leaf is a number."""

    column: int
    direction: int
    threshold: float
    codes: tuple[int, ...] | None
    """Those that go to the right, of 43 levels; None: numbers are compared."""
    start: int
    count: int
    left: "Node | float"
    right: "Node | float"


def random_tree(random: np.random.Generator, depth: int, thresholds: np.ndarray) -> Node | float:
    """Return a tree, often with one leaf beside a node."""
    if depth == 0 or random.random() < 0.15:
        return float(np.float32(random.normal()))
    column = int(random.integers(0, 3))
    sides = [random_tree(random, depth - 1, thresholds) for _ in range(2)]
    direction = int(random.choice([NA_VS_REST, NA_LEFT, NA_RIGHT, LEFT, RIGHT]))
    start, count = (0, 32) if random.random() < 0.5 else (int(random.integers(0, 12)), int(random.integers(1, 45)))
    codes = tuple(code for code in range(start, start + count) if random.random() < 0.5) if column == TOWN else None
    return Node(column, direction, float(random.choice(thresholds)), codes, start, count, *sides)


def packed(tree: Node | float, version: float = NEWEST) -> bytes:
    """Return a tree as H2O has it, 3.46 or an older one."""
    return struct.pack("<BHf", 0, 65535, tree) if isinstance(tree, float) else _packed(tree, version)


def _packed(node: Node, version: float) -> bytes:
    is_small = (node.start, node.count) == (0, 32)
    equal = 0 if node.codes is None else 8 if is_small else 12
    left = struct.pack("<f", node.left) if isinstance(node.left, float) else _packed(node.left, version)
    right = struct.pack("<f", node.right) if isinstance(node.right, float) else _packed(node.right, version)
    length = (len(left).bit_length() + 7) // 8
    mask = 48 if isinstance(node.left, float) else length - 1
    kind = mask | equal | (0x40 if isinstance(node.right, float) else 0)
    test = b""
    if node.direction != NA_VS_REST and node.codes is None:
        test = struct.pack("<f", node.threshold)
    elif node.direction != NA_VS_REST:
        bits = np.zeros(((node.count - 1) // 8 + 1) * 8, np.uint8)
        bits[[code - node.start for code in node.codes or ()]] = 1
        size = (
            struct.pack("<Hi", node.start, node.count)
            if version >= BITS
            else struct.pack("<HH", node.start, len(bits) // 8)
        )
        test = b"" if is_small else size
        test += np.packbits(bits, bitorder="little").tobytes()
    sized = b"" if mask == 48 else len(left).to_bytes(length, "little")
    return struct.pack("<BHB", kind, node.column, node.direction) + test + sized + left + right


def walk(tree: Node | float, row: np.ndarray, version: float = NEWEST) -> float:
    """Return what a tree gives for a row, as SharedTreeMojoModel says: sets are kept for later nodes.

    Sets are whole bytes before 1.2, and 1.0 takes codes beyond them for codes that they have not, and not for missing ones.
    """
    last: tuple[int, int] | None = None
    while not isinstance(tree, float):
        value = row[tree.column]
        is_set, is_rest = tree.codes is not None, tree.direction == NA_VS_REST
        if is_set and not is_rest:
            last = tree.start, tree.count if version >= BITS else (tree.count + 7) // 8 * 8
        is_out = is_set and last is not None and not np.isnan(value) and not 0 <= value - last[0] < last[1]
        is_out = is_out and version > OLDEST
        if np.isnan(value) or is_out:
            goes_right = tree.direction not in (NA_LEFT, LEFT)
        elif is_rest:
            goes_right = False
        else:
            goes_right = int(value) in (tree.codes or ()) if is_set else value >= np.float32(tree.threshold)
        tree = tree.right if goes_right else tree.left
    return tree


def gbm(
    trees: list[list[Node | float | bytes]], changes: Mapping[str, str | None] | None = None, levels=LEVELS
) -> bytes:
    """Return gradient boosting whose steps have a tree for each class, or one; bytes are taken as they are."""
    groups = len(trees[0])
    classes = max(1, groups)
    keys: dict[str, str | None] = {
        "h2o_version": "3.46.0.6",
        "mojo_version": "1.40",
        "algo": "gbm",
        "algorithm": "Gradient Boosting Machine",
        "endianness": "LITTLE_ENDIAN",
        "category": "Multinomial" if groups > 1 else "Regression",
        "supervised": "true",
        "n_features": "3",
        "n_classes": str(classes),
        "n_columns": "4",
        "n_domains": "1",
        "balance_classes": "false",
        "default_threshold": "0.5",
        "prior_class_distrib": str([1 / classes] * classes),
        "model_class_distrib": str([1 / classes] * classes),
        "n_trees": str(len(trees)),
        "n_trees_per_class": str(groups),
        "_genmodel_encoding": "AUTO",
        "distribution": "multinomial" if groups > 1 else "gaussian",
        "link_function": "identity",
        "init_f": "0.25",
        **(changes or {}),
    }
    lines = ["[info]", *(f"{key} = {value}" for key, value in keys.items() if value is not None), "", "[columns]"]
    lines += [*COLUMNS, "amount", "", "[domains]", f"2: {len(levels)} d000.txt"]
    lines += [f"3: {groups} d001.txt"] if groups > 1 else []
    members = {
        "model.ini": "\n".join(lines).encode(),
        "domains/d000.txt": "\n".join((*levels, "")).encode(),
        "domains/d001.txt": "".join(f"class {number}\n" for number in range(groups)).encode(),
    }
    for step, each in enumerate(trees):
        for group, tree in enumerate(each):
            version = float(keys["mojo_version"] or NEWEST)
            members[f"trees/t{group:02d}_{step:03d}.bin"] = tree if isinstance(tree, bytes) else packed(tree, version)
    return zipped(members)


def glm(changes: Mapping[str, str | None] | None = None) -> bytes:
    """Return a linear model of the three columns, as H2O 3.11 wrote it: without the key `algo`."""
    keys: dict[str, str | None] = {
        "h2o_version": "3.11.0.1",
        "mojo_version": "1.0",
        "algorithm": "Generalized Linear Modeling",
        "category": "Regression",
        "supervised": "true",
        "n_features": "3",
        "n_classes": "1",
        "n_columns": "4",
        "n_domains": "1",
        "cats": "1",
        "cat_modes": "[1]",
        "cat_offsets": "[0, 2]",
        "nums": "2",
        "num_means": "[40.0, 2.0]",
        "mean_imputation": "true",
        "beta": "[0.5, -1.5, 0.25, 3.0, 10.0]",
        "family": "gaussian",
        "link": "identity",
        **(changes or {}),
    }
    lines = ["[info]", *(f"{key} = {value}" for key, value in keys.items() if value is not None), "", "[columns]"]
    lines += ["town", "age", "income", "amount", "", "[domains]", "0: 3 d000.txt"]
    return zipped({"model.ini": "\n".join(lines).encode(), "domains/d000.txt": b"red\nblue\ngreen\n"})


def zipped(members: Mapping[str, bytes]) -> bytes:
    """Return an archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()
