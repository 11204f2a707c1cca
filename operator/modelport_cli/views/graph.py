"""Formats, trust and paths as one graph: what leads from where to where, and what serves it."""

from collections.abc import Iterator
from itertools import groupby, zip_longest

from modelport.conversion.base import Format
from modelport.errors import ModelportError
from modelport.frameworks import SOURCES, framework_of
from modelport.paths import find_paths
from modelport.runtimes import TARGETS, runtime_for

HEADERS = ("SOURCE", "NEEDS TRUST", "", "CONVERTED BY", "TO", "SERVED BY")
Row = tuple[str, ...]


def draw_graph() -> list[Row]:
    """Return the rows under HEADERS: sources that go the same ways are joined by a bracket, before their ways."""
    return [row for ways, sources in groupby(SOURCES.values(), _ways) for row in _draw(list(sources), ways)]


def trust_of(format_: Format) -> str:
    """Return what needs `trust: Trusted` in models of a format: all of them, what is named, or nothing."""
    if format_.executes_code:
        return "always"
    named = [*(["code"] if "code" in format_.needs else []), *([format_.may_execute] if format_.may_execute else [])]
    return f"for {', '.join(named)}" if named else "no"


def _draw(sources: list[Format], ways: list[Row]) -> Iterator[Row]:
    for number, (source, way) in enumerate(zip_longest(sources, ways)):
        end = (source.name, trust_of(source)) if source else ("", "")
        yield *end, _bracket(number, len(sources), len(ways)), *(way or ("", "", ""))


def _bracket(number: int, sources: int, ways: int) -> str:
    if sources == ways == 1:
        return "──"
    left = "─" if number < sources else " "
    right = "─" if number < ways else " "
    last = max(sources, ways) - 1
    # a corner at both ends, and a crossing where a line leaves to each side
    joints = {
        ("─", "─"): "┬" if number == 0 else "┴" if number == last else "┼",
        ("─", " "): "┘" if number == last else "┤",
        (" ", "─"): "└" if number == last else "├",
    }
    return f"{left}{joints[left, right]}{right}"


def _ways(source: Format) -> list[Row]:
    """Return by what, to what, and served by what: the best path to each target."""
    ways: list[Row] = []
    for target in TARGETS:
        try:
            paths = find_paths(source.name, target)
        except ModelportError:  # nothing leads there
            continue
        by = " → ".join(dict.fromkeys(framework_of(hop.name).image for hop in paths[0]))
        ways.append(
            (
                f"{by}, {len(paths)} ways" if len(paths) > 1 else by,
                " → ".join(hop.target for hop in paths[0]),
                runtime_for(target).description,
            )
        )
    return ways
