"""The cheapest path from format to format, and the checked options of each hop."""

import difflib
import heapq
from typing import Any

import msgspec

from modelport.api import Spec
from modelport.contract import ModelportError
from modelport.formats import CONVERTERS
from modelport.formats.base import Converter, Options
from modelport.reasons import Reason


def find_path(source: str, target: str) -> tuple[Converter, ...]:
    """Return the converters from `source` to `target` with the least sum of costs, at least one.

    Raises ModelportError (InvalidSpec) if there is none.
    """
    queue: list[tuple[int, int, str, tuple[Converter, ...]]] = [(0, 0, source, ())]
    done: set[str] = set()
    pushed = 0
    while queue:
        cost, _, reached, path = heapq.heappop(queue)
        if reached == target and path:
            return path
        if reached in done and path:
            continue
        done.add(reached)
        for converter in CONVERTERS.values():
            if converter.source == reached:
                pushed += 1
                heapq.heappush(queue, (cost + converter.cost, pushed, converter.target, (*path, converter)))
    raise ModelportError(
        Reason.INVALID_SPEC,
        f"spec.target.format: no converters lead from {source} to {target}; see `modelport formats`",
    )


def options_of(converter: Converter, given: dict[str, Any]) -> Options:
    """Return the checked options of a hop. Raises ModelportError (InvalidSpec) with the nearest name of an unknown key."""
    known = [field.encode_name for field in msgspec.structs.fields(converter.options)]
    for key in given:
        if key not in known:
            nearest = difflib.get_close_matches(key, known, n=1)
            meant = f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(known)}"
            raise ModelportError(
                Reason.INVALID_SPEC, f"spec.target.options.{key}: unknown option of {converter.name}; {meant}"
            )
    try:
        return msgspec.convert(given, converter.options, strict=False)
    except msgspec.ValidationError as error:
        raise ModelportError(Reason.INVALID_SPEC, f"spec.target.options: {error}") from error


def plan_path(spec: Spec, source_format: str) -> tuple[tuple[Converter, Options], ...]:
    """Return the hops for a resource and their options. Raises ModelportError for what the schema cannot tell."""
    path = find_path(source_format, spec.target.format)
    for converter in path:
        converter.check(spec)
    return tuple(
        (converter, options_of(converter, spec.target.options if converter is path[-1] else {})) for converter in path
    )
