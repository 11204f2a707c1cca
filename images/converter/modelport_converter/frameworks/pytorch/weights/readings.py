"""Which weights of a checkpoint are meant: found without being named where exactly one reading of them fits the model.

A reading is a dict of tensors somewhere in the checkpoint, and what is taken off the names in it: a prefix that all of
them have (`model.` in Lightning's), or what PyTorch's own wrappers put in (`module.` of DataParallel). Running averages
of the weights are other weights: they are read where they are named.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

from modelport.api.reasons import Reason
from modelport.errors import ModelportError

WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
"""Names that DataParallel, torch.compile, FSDP and activation checkpointing put around a module."""
AVERAGED = re.compile(r"(^|[._])(ema|swa|avg|averaged|shadow)", re.IGNORECASE)
MAX_DEPTH = 4
MAX_TOLD = 4

Shape = tuple[int, ...]
Look = Callable[[object], tuple[Shape, object] | None]
"""Returns shape and place of what is a tensor; equal places are one tensor."""


class Wanted(NamedTuple):
    """What a model takes."""

    names: Collection[str]
    does_fit: Callable[[Mapping[str, Shape]], bool]
    """Whether weights of these names and shapes are all that it takes, and no others."""


class Reading(NamedTuple):
    """Weights by the names that a model may have for them."""

    key: str
    """Dotted path in the checkpoint."""
    off: str
    """What was taken off their names."""
    rename: Callable[[str], str]
    values: Mapping[str, object]
    left_out: int = 0
    """How many other tensors the same dict has."""

    def __str__(self) -> str:
        return f"{self.key or 'all'}{f' without {self.off}' if self.off else ''}"


def find_readings(content: Mapping[str, object], key: str, look: Look) -> Iterator[Reading]:
    """Return all readings of the dicts of tensors in `content`, which lies at `key`."""
    if any(look(value) for value in content.values()):
        yield from _read(content, key)
    for name, value in content.items():
        path = f"{key}.{name}" if key else str(name)
        if isinstance(value, dict) and path.count(".") < MAX_DEPTH:
            yield from find_readings({str(part): each for part, each in value.items()}, path, look)


def choose(readings: Collection[Reading], wanted: Wanted, look: Look, *, is_named: bool) -> Reading:
    """Return the one reading that fits, or else the one that comes nearest: loading tells what is wrong with it.

    Raises ModelportError (WeightsMismatch) where there is a choice, with all that there is to choose from.
    """

    def fits(reading: Reading) -> bool:
        found = {name: seen[0] for name, value in reading.values.items() if (seen := look(value))}
        return wanted.does_fit(found)

    fitting = [each for each in readings if fits(each)]
    meant = [each for each in fitting if is_named or not (AVERAGED.search(each.key) or each.left_out)]
    if not meant and fitting:
        left = "; ".join(f"{each} leaves {each.left_out} others out" for each in fitting if each.left_out)
        raise _refuse("what fits the factory's model is read where it is named alone", fitting, left)
    if not meant:
        shares = [(len(wanted.names & each.values.keys()), each) for each in readings if not each.left_out]
        most = max((share for share, _ in shares), default=0)
        meant = [each for share, each in shares if share == most and (most or len(shares) == 1)]
        others = [each for each in meant if not AVERAGED.search(each.key)]
        meant = others or meant
        if not meant:
            raise _refuse("none of the weights in the checkpoint has a name of the factory's model", readings)
    distinct = {frozenset((name, look(value)) for name, value in each.values.items()): each for each in meant[::-1]}
    if len(distinct) > 1:
        raise _refuse("several weights in the checkpoint would do for the factory's model", meant)
    return meant[0]


def _read(content: Mapping[str, object], key: str) -> Iterator[Reading]:
    prefixes = list(_common_prefixes(content))
    ways: list[tuple[str, Callable[[str], str]]] = [
        ("", str),
        *((prefix, _without_prefix(prefix)) for prefix in prefixes),
    ]
    wrappers = {part for name in content for part in name.split(".")} & WRAPPERS
    if wrappers:
        ways.append((", ".join(sorted(wrappers)), _without_wrappers))
    seen: set[frozenset[str]] = set()
    for off, rename in ways:
        values = {rename(name): value for name, value in content.items()}
        if len(values) == len(content) and frozenset(values) not in seen:
            seen.add(frozenset(values))
            yield Reading(key, off, rename, values)
    for prefix in {_first(name) for name in content if "." in name} - set(prefixes):
        rename = _without_prefix(prefix)
        values = {rename(name): value for name, value in content.items() if name.startswith(prefix)}
        path = f"{key}.{prefix}".strip(".")
        yield Reading(path, "", rename, values, len(content) - len(values))


def _common_prefixes(names: Collection[str]) -> Iterator[str]:
    """Return the dotted beginnings that all names have, the shortest first."""
    prefix, rest = "", list(names)
    while all("." in name for name in rest) and len({_first(name) for name in rest}) == 1:
        first = _first(rest[0])
        prefix, rest = prefix + first, [name.removeprefix(first) for name in rest]
        yield prefix


def _first(name: str) -> str:
    return name.partition(".")[0] + "."


def _without_prefix(prefix: str) -> Callable[[str], str]:
    return lambda name: name.removeprefix(prefix)


def _without_wrappers(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def _refuse(what: str, readings: Collection[Reading], more: str = "") -> ModelportError:
    told = [str(each) for each in readings]
    rest = f" and {len(told) - MAX_TOLD} more" if len(told) > MAX_TOLD else ""
    named = ", ".join(each[:60] for each in dict.fromkeys(told[:MAX_TOLD]))
    message = f"{what}: {named}{rest}{f' ({more:.100})' if more else ''}; name the weights with checkpoint.key"
    return ModelportError(Reason.WEIGHTS_MISMATCH, message)
