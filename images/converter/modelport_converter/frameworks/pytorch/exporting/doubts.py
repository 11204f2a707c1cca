"""What a kept trace bakes in: decisions that the model's code takes on values and lengths.

One that was the same for all samples refuses. Of one that changed from sample to sample, the trace answers some samples
wrongly, or it does not matter: the gate finds out, and is told where to point.
"""

import ast
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from modelport_converter.frameworks.pytorch.watching.watch import Place


def find_baked(looks: Mapping[Place, set[object]]) -> list[str]:
    """Return places that saw one value over all samples, and which; checks that only raise are none."""
    return [
        f"{place} was always {next(iter(values))}"
        for place, values in looks.items()
        if len(values) == 1 and not is_check(place.file, place.line)
    ]


def find_changing(looks: Mapping[Place, set[object]]) -> list[str]:
    """Return places that saw several values, of which a trace holds one."""
    return [str(place) for place, values in looks.items() if len(values) > 1 and not is_check(place.file, place.line)]


def tell_packings(places: Iterable[Place]) -> list[str]:
    """Return what to do about packed sequences, which graphs have in part: a length with each row, and no cut."""
    where = ", ".join(dict.fromkeys(map(str, places)))
    told = (
        f"{where:.60}: packed sequences do not export as they are; give pad_packed_sequence its total_length, or run the"
        " layer on padded ones and mask, or pick, by lengths"
    )
    return [told] if where else []


def find_looks(looks: Mapping[Place, set[object]]) -> list[Place]:
    """Return places that follow from values or lengths and are no checks."""
    return [place for place in looks if not is_check(place.file, place.line)]


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
