"""The paths from format to format, the best first, and the checked options of each hop."""

import difflib
import heapq
from collections.abc import Mapping
from typing import Any

import msgspec

from modelport.api.reasons import Reason
from modelport.api.spec import Source, Spec
from modelport.conversion.base import Converter, Format, Options
from modelport.errors import ModelportError
from modelport.frameworks import CONVERTERS, FORMATS

MAX_PATHS = 8
MAX_HOPS = 6

Path = tuple[Converter, ...]
PlannedPath = tuple[tuple[Converter, Options], ...]
"""The hops, each with its options."""


def find_paths(source: str, target: str, converters: Mapping[str, Converter] = CONVERTERS) -> list[Path]:
    """Return the ways from `source` to `target`, the one with the least sum of costs first, at most MAX_PATHS.

    Each has at least one hop, and none comes by a format twice, but for a target that is the source's format, nor through
    a format where one converter leads directly past it: what that one refuses, a way round by the same programs would, too.
    Raises ModelportError (InvalidSpec) if there is none.
    """
    queue: list[tuple[int, int, Path]] = [(0, 0, ())]
    direct = {(converter.source, converter.target) for converter in converters.values()}
    found: list[Path] = []
    pushed = 0
    while queue and len(found) < MAX_PATHS:
        cost, _, path = heapq.heappop(queue)
        reached = path[-1].target if path else source
        if path and reached == target:
            found.append(path)
            continue
        if len(path) == MAX_HOPS:
            continue
        been = [source, *(hop.target for hop in path)]
        for converter in converters.values():
            is_next = converter.source == reached and converter.target not in {*been} - {target}
            if is_next and not any((before, converter.target) in direct for before in been[:-1]):
                pushed += 1
                heapq.heappush(queue, (cost + converter.cost, pushed, (*path, converter)))
    if not found:
        message = f"spec.target.format: no converters lead from {source:.64} to {target:.64}; see `modelport formats`"
        raise ModelportError(Reason.INVALID_SPEC, message)
    return found


def plan_paths(spec: Spec, source_format: str) -> list[PlannedPath]:
    """Return the paths for a resource, the best first, with the options of their hops.

    A path whose last converter does not know the target's options has one hop more, from the target's format to itself, if
    that converter knows them. One that cannot take them, or needs trust that is not given, is left out if another does
    without. Raises ModelportError for what the schema cannot tell.
    """
    paths = find_paths(source_format, spec.target.format)
    check_source(spec.source, FORMATS[source_format])
    between = {hop.target for path in paths for hop in path[:-1]}
    for name in spec.conversion.options:
        if name not in between:
            message = f"spec.conversion.options.{name:.64}: no path from {source_format} to {spec.target.format} leads through it"
            raise ModelportError(Reason.INVALID_SPEC, f"{message}; known: {', '.join(sorted(between)) or 'none'}")
    planned, refusals = [], []
    for path in paths:
        try:
            planned.append(_planned(spec, path))
        except ModelportError as refusal:
            refusals.append(refusal)
    if not planned:
        raise refusals[0]
    return planned


def check_trust(format_: Format, spec: Spec) -> None:
    """Raise ModelportError (UntrustedSource) where opening a format would run code of a source that nobody trusts.

    Of a format on the way, too: what a hostile source was turned into runs that source's code.
    """
    if format_.executes_code and spec.source.trust != "Trusted":
        message = f"spec.source.trust: expected Trusted, because opening {format_.name} runs code that comes with it"
        raise ModelportError(Reason.UNTRUSTED_SOURCE, f"{message}; found {spec.source.trust}")


def check_source(source: Source, format_: Format) -> None:
    """Raise ModelportError (InvalidSpec, InputsNeeded) for a source that lacks what makes it a model."""
    if "code" in format_.needs and (source.code is None or source.code.factory is None):
        field, lacking = (
            ("spec.source.code.factory", "module:name of what")
            if source.code
            else ("spec.source.code", "uri, digest and factory of the code that")
        )
        message = f"{field}: weights alone make no model; expected {lacking} builds it"
        raise ModelportError(Reason.INVALID_SPEC, message)
    if "inputs" in format_.needs and not source.inputs:
        message = f"spec.source.inputs: {format_.name} does not tell the model's inputs; expected at least one"
        raise ModelportError(Reason.INPUTS_NEEDED, message)


def options_of(converter: Converter, given: Mapping[str, Any], where: str = "spec.target.options") -> Options:
    """Return the checked options of a hop. Raises ModelportError (InvalidSpec) with the nearest name of an unknown key."""
    known = [field.encode_name for field in msgspec.structs.fields(converter.options)]
    for key in given:
        if key not in known:
            nearest = difflib.get_close_matches(key, known, n=1)
            meant = f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(known) or 'none'}"
            raise ModelportError(Reason.INVALID_SPEC, f"{where}.{key}: unknown option of {converter.name}; {meant}")
    try:
        return msgspec.convert(given, converter.options, strict=False)
    except msgspec.ValidationError as error:
        raise ModelportError(Reason.INVALID_SPEC, f"{where}: {error}") from error


def _planned(spec: Spec, path: Path) -> PlannedPath:
    for name in dict.fromkeys(end for hop in path for end in (hop.source, hop.target)):
        check_trust(FORMATS[name], spec)
    finisher = _find_finisher(path)
    try:
        return _with_options(spec, path)
    except ModelportError:
        if finisher is None:
            raise
    finished = _with_options(spec, (*path[:-1], finisher))
    options = finished[-1][1]
    return (*finished[:-1], (path[-1], _shared(path[-1], options)), (finisher, options))


def _find_finisher(path: Path) -> Converter | None:
    """Return the converter from the target's format to itself, where the path has it not."""
    last = path[-1]
    own = (each for each in CONVERTERS.values() if each.source == each.target == last.target)
    return None if last.source == last.target else next(own, None)


def _shared(converter: Converter, options: Options) -> Options:
    """Return those of other options that a converter knows, too, and of the same type, such as opset."""
    known = {field.name: field.type for field in msgspec.structs.fields(converter.options)}
    names = [each.name for each in msgspec.structs.fields(options) if known.get(each.name) == each.type]
    return converter.options(**{name: getattr(options, name) for name in names})


def _with_options(spec: Spec, path: Path) -> PlannedPath:
    between = [
        (hop, options_of(hop, spec.conversion.options.get(hop.target, {}), f"spec.conversion.options.{hop.target}"))
        for hop in path[:-1]
    ]
    return (*between, (path[-1], options_of(path[-1], spec.target.options)))
