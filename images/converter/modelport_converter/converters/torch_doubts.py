"""What a kept trace bakes in: decisions that the model's code takes on values, which were always the same ones.

A decision that changed from sample to sample needs no word here: the trace answers some of them wrongly, and the gate
finds it.
"""

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from modelport_converter.converters.torch_watching import Place


def find_baked(looks: Mapping[Place, set[object]]) -> list[str]:
    """Return places that saw one value over all samples, and which; checks that only raise are none."""
    return [
        f"{place} was always {next(iter(values))}"
        for place, values in looks.items()
        if len(values) == 1 and not is_check(place.file, place.line)
    ]


def is_check(file: str, line: int) -> bool:
    """Return whether a line of Python only refuses what is wrong: no answer follows from it."""
    return line in _lines_of_checks(file)


@cache
def _lines_of_checks(file: str) -> frozenset[int]:
    """Return the lines of assertions, and of conditions under which nothing but an error is raised."""
    try:
        tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return frozenset()
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            found |= _lines(node)
        elif isinstance(node, ast.If) and not node.orelse and isinstance(node.body[-1], ast.Raise):
            found |= _lines(node.test)
    return frozenset(found)


def _lines(node: ast.stmt | ast.expr) -> set[int]:
    return set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
