"""Symbols: a graph of NNVM in JSON, of any release since 0.8.

Operators' parameters are texts under `attrs`; before 1.0 under `attr`, with what users noted beside them, and before 0.9
under `param`. An input is a node and the number of its output; later ones have a version behind.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from modelport.api.reasons import Reason
from modelport.errors import ModelportError

VARIABLE = "null"
MAX_BYTES = 256 << 20
ATTRIBUTES = ("param", "attr", "attrs")
Entry = tuple[int, int]
"""A node, and which of its outputs."""


class Node(NamedTuple):
    """A variable, or a call of an operator."""

    operator: str
    name: str
    attributes: Mapping[str, str]
    inputs: tuple[Entry, ...]
    is_subgraph: bool
    """Whether a graph of its own belongs to it, as to loops."""


class Graph(NamedTuple):
    """Nodes, each behind what it reads."""

    nodes: tuple[Node, ...]
    heads: tuple[Entry, ...]
    is_numpy: bool
    """Whether it was written with NumPy's shapes, where 0 is a length and not one that is to be found."""

    def needed(self) -> set[int]:
        """Return the nodes that the outputs follow from."""
        found, waiting = set[int](), [node for node, _ in self.heads]
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                waiting += [each for each, _ in self.nodes[node].inputs]
        return found


def read_symbol(path: Path) -> str:
    """Return the text of a symbol. Raises ModelportError (SourceCorrupt)."""
    if path.stat().st_size > MAX_BYTES:
        raise _broken(path.name, f"a symbol of at most {MAX_BYTES} bytes", f"{path.stat().st_size}")
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise _broken(path.name, "JSON", str(error)) from error


def read_graph(text: str, name: str) -> Graph:
    """Return the graph of a symbol's text; `name` is for messages. Raises ModelportError (SourceCorrupt)."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _broken(name, "JSON", str(error)) from error
    if not isinstance(content, dict) or not _is_list(content.get("nodes")) or not _is_list(content.get("heads")):
        raise _broken(name, "a symbol with nodes and heads", type(content).__name__)
    nodes: list[Node] = []
    outer: Any = content.get("attrs")
    for each in content["nodes"]:
        nodes.append(_read_node(each, len(nodes), name))
    heads = tuple(_read_entry(each, len(nodes), f"{name}: a head") for each in content["heads"])
    if not heads:
        raise _broken(name, "a symbol with outputs", "none")
    return Graph(tuple(nodes), heads, isinstance(outer, dict) and outer.get("is_np_shape") == ["int", 1])


def _read_node(content: object, number: int, file: str) -> Node:
    place = f"{file}: node {number}"
    if not isinstance(content, dict):
        raise _broken(place, "an object", type(content).__name__)
    operator, name = content.get("op"), content.get("name")
    if not isinstance(operator, str) or not isinstance(name, str) or not operator or "\0" in operator + name:
        raise _broken(place, "op and name as texts", f"{operator!r}, {name!r}")
    attributes: dict[str, str] = {}
    for key in ATTRIBUTES:
        found = content.get(key) or {}
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise _broken(f"{place} {name}", f"{key} as texts by name", repr(found))
        attributes |= found
    inputs = content.get("inputs", [])
    if not _is_list(inputs):
        raise _broken(f"{place} {name}", "inputs as a list", type(inputs).__name__)
    entries = tuple(_read_entry(each, number, f"{place} {name}: an input") for each in inputs)
    return Node(operator, name, attributes, entries, bool(content.get("subgraphs")))


def _read_entry(content: object, below: int, place: str) -> Entry:
    is_right = isinstance(content, list) and len(content) in {2, 3} and all(type(each) is int for each in content)
    if not is_right or not 0 <= content[0] < below or not 0 <= content[1] < 1 << 16:  # type: ignore[index]  # as is_right
        raise _broken(place, f"a node before number {below} and an output of it", repr(content))
    return content[0], content[1]  # type: ignore[index]  # as above


def _is_list(content: object) -> bool:
    return isinstance(content, list)


def _broken(place: str, expected: str, found: str) -> ModelportError:
    return ModelportError(Reason.SOURCE_CORRUPT, f"{place:.200}: expected {expected}, found {found:.160}")
