"""The source model as PyTorch has it: code on the import path, a factory called, weights loaded strictly.

Weights that do not fit would be misloaded for the reference and for the conversion alike, so that no comparison could
find out: every missing, unexpected or reshaped one refuses.
"""

import importlib
import pickle
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from modelport.api import Checkpoint
from modelport.contract import CodeRequest, ModelportError
from modelport.reasons import Reason
from modelport_converter.converters.job import last_line

MAX_LISTED = 5
EXTRA_STATE = "_extra_state"
"""Weights may hold what a module's own get_extra_state returned under a name that ends so; it is no tensor."""


def build_model(code: CodeRequest, folder: Path) -> torch.nn.Module:
    """Return what the factory returns, in evaluation mode. Raises ModelportError (FactoryFailed)."""
    _extend_import_path(code, folder)
    module_name, _, name = code.factory.partition(":")
    try:
        factory = getattr(importlib.import_module(module_name), name)
        model = factory(**code.arguments)
    except (Exception, SystemExit) as error:
        raise ModelportError(Reason.FACTORY_FAILED, f"factory {code.factory}: {last_line(error)}") from error
    if not isinstance(model, torch.nn.Module):
        message = f"factory {code.factory}: expected a torch.nn.Module, found {type(model).__name__}"
        raise ModelportError(Reason.FACTORY_FAILED, message)
    return model.eval()


def load_weights(model: torch.nn.Module, path: Path, checkpoint: Checkpoint | None) -> None:
    """Put the weights of the file into the model, all of them and no others.

    Raises ModelportError: SourceCorrupt, UnsafeSource, WeightsMismatch.
    """
    weights = _select(_read(path), checkpoint or Checkpoint())
    try:
        model.load_state_dict(weights, strict=True)
    except (RuntimeError, TypeError, AttributeError) as error:
        found = _describe_mismatch(model.state_dict(), weights) or last_line(error)
        raise ModelportError(Reason.WEIGHTS_MISMATCH, f"the weights do not fit the factory's model: {found}") from error
    model.eval()


def _extend_import_path(code: CodeRequest, folder: Path) -> None:
    root = folder.resolve()
    chosen = (root / (code.path or ".")).resolve()
    if not chosen.is_relative_to(root) or not chosen.is_dir():
        raise ModelportError(
            Reason.FACTORY_FAILED, f"code.path: expected a folder inside the code, found {code.path!r}"
        )
    sys.path[:0] = list(dict.fromkeys((str(chosen), str(root))))
    sys.dont_write_bytecode = True  # the code's volume is read-only here
    importlib.invalidate_caches()


def _read(path: Path) -> object:
    try:
        # the format before PyTorch 1.6 is no zip archive and cannot be mapped
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        if "weights_only" not in str(error):
            raise ModelportError(Reason.SOURCE_CORRUPT, f"{path.name}: {last_line(error)}") from error
        message = f"{path.name}: expected tensors in plain containers, found other objects: {_refused_global(error)}"
        raise ModelportError(Reason.UNSAFE_SOURCE, message) from error
    except Exception as error:  # torch tells a truncated file by half a dozen types
        raise ModelportError(
            Reason.SOURCE_CORRUPT, f"{path.name}: expected a whole file of torch.save: {last_line(error)}"
        ) from error


def _refused_global(error: pickle.UnpicklingError) -> str:
    lines = [line.strip() for line in str(error).splitlines() if "GLOBAL" in line or "Unsupported" in line]
    return (lines[0] if lines else last_line(error))[:200]


def _select(content: object, checkpoint: Checkpoint) -> dict[str, Any]:
    for part in checkpoint.key.split(".") if checkpoint.key else ():
        if not isinstance(content, Mapping) or part not in content:
            message = f"checkpoint.key {checkpoint.key}: no {part!r} in the checkpoint; it has {_names(content)}"
            raise ModelportError(Reason.WEIGHTS_MISMATCH, message)
        content = content[part]
    if not _is_state_dict(content):
        message = f"expected tensors by name, found {_names(content)}; name the weights with checkpoint.key"
        raise ModelportError(Reason.WEIGHTS_MISMATCH, message)
    assert isinstance(content, Mapping)
    prefix = checkpoint.strip_prefix or ""
    if prefix and not any(name.startswith(prefix) for name in content):
        message = f"checkpoint.stripPrefix: no name begins with {prefix!r}; there are {_names(content)}"
        raise ModelportError(Reason.WEIGHTS_MISMATCH, message)
    stripped = {name.removeprefix(prefix): value for name, value in content.items()}
    if len(stripped) < len(content):
        message = f"checkpoint.stripPrefix: without {prefix!r} several weights have the same name"
        raise ModelportError(Reason.WEIGHTS_MISMATCH, message)
    return stripped


def _is_state_dict(content: object) -> bool:
    return (
        isinstance(content, Mapping)
        and len(content) > 0
        and all(
            isinstance(name, str) and (isinstance(value, torch.Tensor) or name.endswith(EXTRA_STATE))
            for name, value in content.items()
        )
    )


def _describe_mismatch(expected: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    reshaped = [
        f"{name} {list(found[name].shape)} for {list(value.shape)}"
        for name, value in expected.items()
        if isinstance(value, torch.Tensor)
        and isinstance(found.get(name), torch.Tensor)
        and found[name].shape != value.shape
    ]
    groups = {
        "missing": [name for name in expected if name not in found],
        "unexpected": [name for name in found if name not in expected],
        "reshaped": reshaped,
    }
    return "; ".join(f"{len(names)} {what}: {_listed(names)}" for what, names in groups.items() if names)


def _names(content: object) -> str:
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    return _listed([str(name) for name in content]) or "nothing"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return ", ".join(name[:60] for name in names[:MAX_LISTED]) + more
