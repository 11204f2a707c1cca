"""MXNet: a symbol (JSON) beside its parameters, as `Module`, `HybridBlock.export` and their ancestors write them."""

import re

from modelport.conversion.base import Format
from modelport.conversion.detection import Evidence, Tree

PARAMETERS = (0x112).to_bytes(8, "little") + bytes(8)
"""kMXAPINDArrayListMagic in src/ndarray/ndarray.cc, and a reserved word."""
SUFFIX = ".params"
_NODES = re.compile(rb'\s*\{\s*"(?:nodes"\s*:\s*\[\s*\{|arg_nodes"\s*:\s*\[)')
"""How a graph of NNVM begins, in the order in which MXNet writes its keys, or in that of their names."""
_NOT_MXNET = re.compile(rb'"op"\s*:\s*"(?:tvm_op|kernel)"')
"""Graphs that TVM compiled have the same form."""
_OPERATOR = re.compile(rb'"op"\s*:\s*"|"arg_nodes"')


def _detect(tree: Tree) -> Evidence | None:
    symbols = [path for path in tree.paths if _is_symbol(tree.read(path))]
    weights = [path for path in tree.paths if _is_parameters(tree, path)]
    if not symbols and not weights:
        return None
    roles = {"symbol": symbols, "parameters": weights}
    rivals = [path for paths in roles.values() for path in paths[1:]]
    return Evidence({role: paths[0] for role, paths in roles.items() if paths}, rivals=tuple(rivals))


def _is_symbol(content: bytes) -> bool:
    return bool(_NODES.match(content) and _OPERATOR.search(content) and not _NOT_MXNET.search(content))


def _is_parameters(tree: Tree, path: str) -> bool:
    if tree.read(path).startswith(PARAMETERS):
        return True
    names = tree.members(path) if path.endswith(SUFFIX) else frozenset()
    return bool(names) and all(name.endswith(".npy") for name in names)  # as MXNet 2 writes them


FORMATS = (
    Format(
        "mxnet",
        "MXNet symbol (.json) with its parameters (.params): of Module, of Gluon's export, of any release since 0.8",
        _detect,
        suffixes=("-symbol.json", SUFFIX),
        holds_graph=True,
    ),
)
