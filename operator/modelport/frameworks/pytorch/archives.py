"""Zip archives that hold a graph beside their weights: of torch.jit.save, and of torch.export.save."""

import re

from modelport.conversion.detection import Evidence, Tree, play
from modelport.frameworks.pytorch.pickles import CONSTANTS, PICKLE

_PROGRAM = re.compile(r"([^/]+/)?models/[^/]+\.json|serialized_exported_program\.json")
"""The graph, since PyTorch 2.8 and before."""


def detect_script(tree: Tree) -> Evidence | None:
    """Look for TorchScript."""
    return play("model", [path for path in tree.paths if _is_script(tree.members(path))], is_sure=True)


def detect_program(tree: Tree) -> Evidence | None:
    """Look for programs of torch.export; what it compiled for one machine is none."""
    return play("model", [path for path in tree.paths if _is_program(tree.members(path))], is_sure=True)


def _is_script(members: frozenset[str]) -> bool:
    roots = {name.partition("/")[0] for name in members}
    wanted = {f"{root}/{name}" for root in roots for name in (CONSTANTS, PICKLE)}
    return len(roots) == 1 and wanted <= members and any(name.partition("/")[2].startswith("code/") for name in members)


def _is_program(members: frozenset[str]) -> bool:
    return any(_PROGRAM.fullmatch(name) for name in members)
