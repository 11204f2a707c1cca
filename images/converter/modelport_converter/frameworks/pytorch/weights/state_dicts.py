"""Weights out of a checkpoint as PyTorch's tensors, mapped from the file; which of them, the user says."""

import mmap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from modelport.api.reasons import Reason
from modelport.api.spec import Checkpoint as Selection
from modelport.errors import ModelportError
from modelport_converter.frameworks.pytorch.weights.checkpoints import (
    Checkpoint,
    StoredTensor,
    describe,
    read_checkpoint,
)
from modelport_converter.frameworks.pytorch.weights.pickles import Name, Object, OrderedMapping

MAX_LISTED = 5
EXTRA_STATE = "_extra_state"
"""Weights may hold what a module's own get_extra_state returned under a name that ends so; it is no tensor."""


class Weights(dict[str, Any]):
    """Tensors by name, with the versions of the modules that saved them, as torch.nn.Module.load_state_dict reads them."""

    _metadata: Mapping[str, Any]


def read_weights(path: Path, selection: Selection | None) -> Weights:
    """Return the weights that the file holds. Raises ModelportError: SourceCorrupt, UnsafeSource, WeightsMismatch."""
    checkpoint = read_checkpoint(path)
    chosen = selection or Selection()
    content = _follow(checkpoint.content, chosen.key)
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    try:
        found = {name: _rebuild(checkpoint, mapped, value) for name, value in _named(content, chosen.key)}
    except (ValueError, RuntimeError, AttributeError, RecursionError) as error:
        message = f"{path.name}: expected a whole file as torch.save writes it, found: {error!s:.200}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    if not any(isinstance(value, torch.Tensor) for value in found.values()):
        message = f"expected tensors by name, found {describe_names(content)}; name the weights with checkpoint.key"
        raise ModelportError(Reason.WEIGHTS_MISMATCH, message)
    _check_all_tensors(path, found)
    return _strip(found, _versions(content), chosen.strip_prefix or "")


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
    for part in key.split(".") if key else ():
        if not isinstance(content, Mapping) or part not in content:
            message = f"checkpoint.key {key}: no {part!r} in the checkpoint; it has {describe_names(content)}"
            raise ModelportError(Reason.WEIGHTS_MISMATCH, message)
        content = content[part]
    return content


def _named(content: object, key: str | None) -> list[tuple[str, object]]:
    if isinstance(content, (Name, Object)):
        where = f"checkpoint.key {key}" if key else "the file"
        message = f"{where}: expected weights by name, found a {describe(content)}, which only running its code would make; save model.state_dict() alone"
        raise ModelportError(Reason.UNSAFE_SOURCE, message)
    return [(str(name), value) for name, value in content.items()] if isinstance(content, dict) else []


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


def _strip(found: Mapping[str, Any], versions: Mapping[str, Any], prefix: str) -> Weights:
    if prefix and not any(name.startswith(prefix) for name in found):
        message = f"checkpoint.stripPrefix: no name begins with {prefix!r}; there are {describe_names(found)}"
        raise ModelportError(Reason.WEIGHTS_MISMATCH, message)
    weights = Weights({name.removeprefix(prefix): value for name, value in found.items()})
    if len(weights) < len(found):
        message = f"checkpoint.stripPrefix: without {prefix!r} several weights have the same name"
        raise ModelportError(Reason.WEIGHTS_MISMATCH, message)
    if versions:
        weights._metadata = {f"{name}.".removeprefix(prefix).rstrip("."): value for name, value in versions.items()}  # noqa: SLF001
    return weights
