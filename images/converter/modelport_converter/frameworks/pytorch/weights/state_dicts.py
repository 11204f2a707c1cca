"""Weights out of a file as PyTorch's tensors, mapped from it; which of them, the user says or the model."""

import mmap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from modelport.api.reasons import Reason
from modelport.api.spec import Checkpoint as Selection
from modelport.asking.pytorch.pickles import Name, Object, OrderedMapping
from modelport.errors import ModelportError
from modelport.steps.runner import say
from modelport_converter.frameworks.pytorch.weights.checkpoints import (
    Checkpoint,
    StoredTensor,
    describe,
    read_checkpoint,
)
from modelport_converter.frameworks.pytorch.weights.readings import Look, Reading, Wanted, choose, find_readings
from modelport_converter.frameworks.pytorch.weights.shards import (
    INDEX,
    check_shard,
    find_shards,
    is_safetensors,
    read_index,
)

LOGGER = "torch"
MAX_LISTED = 5
EXTRA_STATE = "_extra_state"
"""Weights may hold what a module's own get_extra_state returned under a name that ends so; it is no tensor."""


class Weights(dict[str, Any]):
    """Tensors by name, with the versions of the modules that saved them, as torch.nn.Module.load_state_dict reads them."""

    _metadata: Mapping[str, Any]


def read_weights(path: Path, selection: Selection | None, wanted: Wanted) -> Weights:
    """Return the weights that a file of torch.save's holds.

    Raises ModelportError: SourceCorrupt, UnsafeSource, WeightsMismatch.
    """
    checkpoint = read_checkpoint(path)
    chosen = selection or Selection()

    def look(value: object) -> tuple[tuple[int, ...], StoredTensor] | None:
        stored = checkpoint.find_tensor(value)
        return stored and (stored.shape, stored)

    content = _named(_follow(checkpoint.content, chosen.key), chosen.key)
    try:
        reading = _find_reading(content, chosen, look, wanted)
    except ValueError as error:
        raise _corrupt(path, error) from error
    found = _rebuild_all(path, checkpoint, reading.values)
    _check_all_tensors(path, found)
    weights = Weights(found)
    versions = _versions(_follow(checkpoint.content, reading.key))
    if versions:
        weights._metadata = {reading.rename(f"{name}.").rstrip("."): value for name, value in versions.items()}  # noqa: SLF001
    return weights


def read_tensors(path: Path, selection: Selection | None, wanted: Wanted) -> Weights:
    """Return the weights in safetensors: of one file, or of those that an index names. Raises the same."""
    found, chosen = _read_safetensors(path), selection or Selection()

    def look(value: object) -> tuple[tuple[int, ...], int] | None:
        return (tuple(value.shape), id(value)) if isinstance(value, torch.Tensor) else None

    content = _named(_follow(found, chosen.key), chosen.key)
    return Weights(_find_reading(content, chosen, look, wanted).values)


def read_stored(path: Path) -> dict[str, torch.Tensor]:
    """Return all tensors in safetensors, in a file of torch.save's, or in the files that an index names. Raises the same."""
    if is_safetensors(path):
        return _read_safetensors(path)
    found: dict[str, torch.Tensor] = {}
    shards = read_index(path) if path.name.endswith(INDEX) else {}
    for file in shards or (path,):
        checkpoint = read_checkpoint(file)
        content = _named(checkpoint.content, None)
        if shards:
            check_shard(path, file, shards[file], content)
        tensors = _rebuild_all(file, checkpoint, content)
        _check_all_tensors(file, tensors)
        found |= tensors
    return found


def list_names(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return ", ".join(name[:60] for name in names[:MAX_LISTED]) + more


def describe_names(content: object) -> str:
    """Return what there is to choose from."""
    if not isinstance(content, Mapping):
        return f"a {describe(content)}"
    return list_names([str(name) for name in content]) or "nothing"


def _follow(content: object, key: str | None) -> object:
    """Return what lies at a dotted path: values of dicts, and of names that themselves have dots those that begin so."""
    rest = key or ""
    while rest:
        part, _, after = rest.partition(".")
        named = {str(name): value for name, value in content.items()} if isinstance(content, Mapping) else {}
        if part in named:
            content, rest = named[part], after
            continue
        inside = {name.removeprefix(f"{rest}."): each for name, each in named.items() if name.startswith(f"{rest}.")}
        if not inside:
            message = f"checkpoint.key {key}: no {part!r} in the checkpoint; it has {describe_names(content)}"
            raise ModelportError(Reason.WEIGHTS_MISMATCH, message)
        return inside
    return content


def _named(content: object, key: str | None) -> dict[str, object]:
    if isinstance(content, (Name, Object)):
        where = f"checkpoint.key {key}" if key else "the file"
        message = f"{where}: expected weights by name, found a {describe(content)}, which only running its code would make; save model.state_dict() alone"
        raise ModelportError(Reason.UNSAFE_SOURCE, message)
    return {str(name): value for name, value in content.items()} if isinstance(content, dict) else {}


def _find_reading(content: Mapping[str, object], chosen: Selection, look: Look, wanted: Wanted) -> Reading:
    key, prefix = chosen.key or "", chosen.strip_prefix
    readings = [each for each in find_readings(content, key, look) if not key or each.key == key]
    if not readings:
        message = f"expected tensors by name, found {describe_names(content)}; name the weights with checkpoint.key"
        raise ModelportError(Reason.WEIGHTS_MISMATCH, message)
    if prefix:
        whole = [each for each in readings if not each.off and not each.left_out]
        begun = [each for each in whole if any(name.startswith(prefix) for name in each.values)]
        if not begun:
            found = describe_names(whole[0].values)
            message = f"checkpoint.stripPrefix: no name begins with {prefix!r}; there are {found}"
            raise ModelportError(Reason.WEIGHTS_MISMATCH, message)
        readings = [_strip(each, prefix) for each in begun]
    reading = choose(readings, wanted, look, is_named=bool(key))
    if str(reading) not in ("all", key):
        say(LOGGER, f"weights of the checkpoint that are read: {reading}")
    return reading


def _strip(reading: Reading, prefix: str) -> Reading:
    values = {name.removeprefix(prefix): value for name, value in reading.values.items()}
    if len(values) < len(reading.values):
        message = f"checkpoint.stripPrefix: without {prefix!r} several weights have the same name"
        raise ModelportError(Reason.WEIGHTS_MISMATCH, message)
    return Reading(reading.key, prefix, lambda name: name.removeprefix(prefix), values)


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    for file, names in find_shards(path).items():
        with safe_open(file, framework="pt") as opened:
            found |= {name: opened.get_tensor(name) for name in names}
    return found


def _rebuild_all(path: Path, checkpoint: Checkpoint, values: Mapping[str, object]) -> dict[str, Any]:
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    try:
        return {name: _rebuild(checkpoint, mapped, value) for name, value in values.items()}
    except (ValueError, RuntimeError, AttributeError, RecursionError) as error:
        raise _corrupt(path, error) from error


def _corrupt(path: Path, error: Exception) -> ModelportError:
    message = f"{path.name}: expected a whole file as torch.save writes it, found: {error!s:.200}"
    return ModelportError(Reason.SOURCE_CORRUPT, message)


def _rebuild(checkpoint: Checkpoint, mapped: mmap.mmap, value: object) -> object:
    """Return the value with its tensors rebuilt; what would need a call stays as it is."""
    stored = checkpoint.find_tensor(value)
    if stored is not None:
        return _tensor(mapped, stored)
    if isinstance(value, dict):
        return {key: _rebuild(checkpoint, mapped, part) for key, part in value.items()}
    if isinstance(value, (list, tuple)) and not isinstance(value, Name):
        return type(value)(_rebuild(checkpoint, mapped, part) for part in value)
    return value


def _tensor(mapped: mmap.mmap, stored: StoredTensor) -> torch.Tensor:
    dtype = getattr(torch, stored.dtype)
    if not stored.span:
        return torch.empty(stored.shape, dtype=dtype)
    flat = torch.frombuffer(mapped, dtype=dtype, count=stored.span, offset=stored.start)
    if stored.start % dtype.itemsize:
        flat = flat.clone()  # torch.save aligns its storages; others need not
    return flat.as_strided(stored.shape, stored.strides)


def _check_all_tensors(path: Path, found: Mapping[str, object]) -> None:
    foreign = {name: part for name, value in found.items() for part in _find_foreign(name, value)}
    if foreign:
        is_unsafe = any(isinstance(value, (Name, Object)) for value in foreign.values())
        named = list_names([f"{name} ({describe(value)})" for name, value in foreign.items()])
        message = f"{path.name}: expected tensors alone, found among them {named}; save model.state_dict() alone"
        raise ModelportError(Reason.UNSAFE_SOURCE if is_unsafe else Reason.WEIGHTS_MISMATCH, message)


def _find_foreign(name: str, value: object) -> Iterator[object]:
    """Return what is no weight: what only a call would make, and anything else that is no module's own state."""
    if isinstance(value, (Name, Object)) or not (isinstance(value, torch.Tensor) or name.endswith(EXTRA_STATE)):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _find_foreign(name, part)


def _versions(content: object) -> Mapping[str, Any]:
    attributes = content.attributes if isinstance(content, OrderedMapping) else None
    found = attributes.get("_metadata") if isinstance(attributes, dict) else None
    return (
        {str(name): value for name, value in found.items() if isinstance(value, dict)}
        if isinstance(found, dict)
        else {}
    )
