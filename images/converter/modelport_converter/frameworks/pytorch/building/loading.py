"""The source model as PyTorch has it: code on the import path, a factory called, weights loaded strictly.

Weights that do not fit would be misloaded for the reference and for the conversion alike, so that no comparison could
find out: every missing, unexpected, reshaped or altered one refuses.
"""

import importlib
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.jobs.requests import CodeRequest
from modelport.steps.runner import say
from modelport_converter.frameworks.pytorch.building.state import equal_numbers, settle
from modelport_converter.frameworks.pytorch.weights.state_dicts import Weights, list_names
from modelport_converter.tasks import last_line

LOGGER = "torch"


def build_model(code: CodeRequest, folder: Path, seed: int) -> torch.nn.Module:
    """Return what the factory returns, in evaluation mode. Raises ModelportError (FactoryFailed).

    Numbers that it draws follow from `seed`: what two seeds build differently, no file holds.
    """
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # the generator that users' code has
    random.seed(seed)
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
    settle(model)
    return model


@contextmanager
def fresh_imports(folder: Path) -> Iterator[None]:
    """Have the code's modules imported anew inside: numbers that a module draws when it is imported differ, too."""
    root = str(folder.resolve())
    known = {
        name: each for name, each in sys.modules.items() if str(getattr(each, "__file__", "") or "").startswith(root)
    }
    for name in known:
        del sys.modules[name]
    try:
        yield
    finally:
        sys.modules.update(known)


def load_weights(model: torch.nn.Module, weights: Weights) -> None:
    """Put the weights into the model, all of them and no others. Raises ModelportError (WeightsMismatch)."""
    expected = {name: _shape(value) for name, value in model.state_dict().items()}
    try:
        with torch.no_grad():
            model.load_state_dict(weights, strict=True)
    except (RuntimeError, TypeError, AttributeError) as error:
        found = _describe(_find_misfits(expected, weights)) or last_line(error)
        raise ModelportError(Reason.WEIGHTS_MISMATCH, f"the weights do not fit the factory's model: {found}") from error
    altered = _describe(_find_alterations(model.state_dict(), weights))
    if altered:
        raise ModelportError(
            Reason.WEIGHTS_MISMATCH, f"the factory's model does not take the weights as stored: {altered}"
        )
    settle(model)


def _shape(value: object) -> list[int] | None:
    if not isinstance(value, torch.Tensor) or isinstance(value, torch.nn.parameter.UninitializedTensorMixin):
        return None
    return list(value.shape)


def _extend_import_path(code: CodeRequest, folder: Path) -> None:
    root = folder.resolve()
    chosen = (root / (code.path or ".")).resolve()
    if not chosen.is_relative_to(root) or not chosen.is_dir():
        raise ModelportError(
            Reason.FACTORY_FAILED, f"code.path: expected a folder inside the code, found {code.path!r}"
        )
    wanted = dict.fromkeys((str(chosen), str(root)))
    sys.path[:] = [*wanted, *(path for path in sys.path if path not in wanted)]
    sys.dont_write_bytecode = True  # the code's volume is read-only here
    importlib.invalidate_caches()


def _find_misfits(expected: dict[str, list[int] | None], found: Weights) -> dict[str, list[str]]:
    return {
        "missing": [name for name in expected if name not in found],
        "unexpected": [name for name in found if name not in expected],
        "reshaped": [
            f"{name} {_shape(found[name])} for {shape}"
            for name, shape in expected.items()
            if shape is not None and name in found and _shape(found[name]) != shape
        ],
    }


def _find_alterations(loaded: dict[str, Any], found: Weights) -> dict[str, list[str]]:
    """Return what PyTorch accepts without a word although numbers are lost."""
    groups: dict[str, list[str]] = {}
    for name, value in found.items():
        taken = loaded.get(name)
        if isinstance(value, torch.Tensor) and isinstance(taken, torch.Tensor):
            kind, words = _find_alteration(value, taken)
            groups.setdefault(kind, []).append(f"{name} {words}".strip())
    narrowed = groups.pop("of another precision", [])
    if narrowed:
        say(LOGGER, f"{len(narrowed)} weights of another precision than the model's: {list_names(narrowed)}")
    groups.pop("", None)
    return groups


def _find_alteration(stored: torch.Tensor, taken: torch.Tensor) -> tuple[str, str]:
    types = f"{stored.dtype} for {taken.dtype}".replace("torch.", "")
    if stored.numel() != taken.numel():
        return "reshaped", f"{list(stored.shape)} for {list(taken.shape)}"
    if _kind(stored) != _kind(taken) and {_kind(stored), _kind(taken)} != {"whole", "bool"}:
        return "of another kind", types
    if stored.numel() and bool(stored[(0,) * stored.ndim].isnan()) and bool(stored.isnan().all()):
        return "without a number", f"(all {stored.numel()} are NaN)"
    if (
        stored.dtype != taken.dtype
        and stored.is_floating_point()
        and bool((stored.isfinite() & ~taken.reshape(stored.shape).isfinite()).any())
    ):
        return "beyond the range", types
    if not equal_numbers(stored.to(taken.dtype), taken.reshape(stored.shape)):
        return "replaced by other numbers, such as those of a tied weight", ""
    return ("", "") if stored.dtype == taken.dtype else ("of another precision", types)


def _kind(tensor: torch.Tensor) -> str:
    if tensor.dtype == torch.bool:
        return "bool"
    return "complex" if tensor.is_complex() else "float" if tensor.is_floating_point() else "whole"


def _describe(groups: dict[str, list[str]]) -> str:
    return "; ".join(f"{len(names)} {what}: {list_names(names)}" for what, names in groups.items() if names)
