"""The source model as PyTorch has it: a factory called, weights loaded strictly.

Weights that do not fit would be misloaded for the reference and for the conversion alike, so that no comparison could
find out: every missing, unexpected, reshaped or altered one refuses.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.jobs.requests import CodeRequest
from modelport.steps.runner import say
from modelport_converter.code.loading import call_factory
from modelport_converter.frameworks.pytorch.building.state import equal_numbers, settle
from modelport_converter.frameworks.pytorch.weights.readings import Wanted
from modelport_converter.frameworks.pytorch.weights.state_dicts import Weights, list_names
from modelport_converter.tasks import last_line

LOGGER = "torch"
COUNTS = ("num_batches_tracked", "_extra_state")
"""What PyTorch's own modules load without: PyTorch 0.4 did not save it, or it holds no tensor."""


def build_model(code: CodeRequest, seed: int) -> torch.nn.Module:
    """Return what the factory returns, in evaluation mode. Raises ModelportError (FactoryFailed)."""
    draw_from(seed)
    model = call_factory(code)
    if not isinstance(model, torch.nn.Module):
        message = f"factory {code.factory}: expected a torch.nn.Module, found {type(model).__name__}"
        raise ModelportError(Reason.FACTORY_FAILED, message)
    settle(model)
    return model


def draw_from(seed: int) -> None:
    """Have numbers that a model draws while it is built follow from `seed`: what two seeds build differently, no file holds."""
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # the generator that users' code has
    random.seed(seed)


def load_weights(model: torch.nn.Module, weights: Weights) -> None:
    """Put the weights into the model, all of them and no others. Raises ModelportError (WeightsMismatch).

    What the model ties is stored under one of its names or under all of them; what it makes by itself and an earlier version
    of its class stored (`position_ids` of transformers) is taken out of `weights` where it is the same.
    """
    own = model.state_dict(keep_vars=True)
    buffers = {name: value for name, value in model.named_buffers() if name not in own}
    remade = [name for name in weights if name in buffers and _are_same(weights[name], buffers[name])]
    if remade:
        say(LOGGER, f"stored, and made by the model by itself, both the same: {list_names(remade)}")
    for name in remade:
        del weights[name]
    expected = {name: _shape(value) for name, value in own.items()}
    twins = find_twins(own, weights)
    if twins:
        told = list_names([f"{name} is {twin}" for name, twin in twins.items()])
        say(LOGGER, f"tied by the model, and stored once: {told}")
        weights.update({name: weights[twin] for name, twin in twins.items()})
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


def wanted_by(model: torch.nn.Module) -> Wanted:
    """Return what weights must be to be the model's."""
    own = model.state_dict(keep_vars=True)
    shapes = {name: _shape(value) for name, value in {**dict(model.named_buffers()), **own}.items()}

    def does_fit(found: Mapping[str, Sequence[int]]) -> bool:
        if any(name not in shapes or shapes[name] not in (None, list(shape)) for name, shape in found.items()):
            return False
        missing = [name for name in own if name not in found and not name.endswith(COUNTS)]
        return len(missing) == 0 or find_twins(own, found).keys() >= set(missing)

    return Wanted(own.keys(), does_fit)


def _are_same(stored: object, made: torch.Tensor) -> bool:
    is_alike = isinstance(stored, torch.Tensor) and (stored.shape, stored.dtype) == (made.shape, made.dtype)
    return is_alike and equal_numbers(stored, made)


def find_twins(own: Mapping[str, object], stored: Collection[str]) -> dict[str, str]:
    """Return, of the model's names that are not stored, those of tensors that it has under a stored name, too."""
    places = {_place(value): name for name, value in own.items() if name in stored}
    return {
        name: places[_place(value)] for name, value in own.items() if name not in stored and _place(value) in places
    }


def _place(value: object) -> object:
    """Return what two names of one tensor have in common, and nothing else."""
    if not isinstance(value, torch.Tensor) or _shape(value) is None or not value.numel() or value.is_meta:
        return id(value)
    return value.data_ptr(), value.dtype, value.shape, value.stride()


def _shape(value: object) -> list[int] | None:
    if not isinstance(value, torch.Tensor) or isinstance(value, torch.nn.parameter.UninitializedTensorMixin):
        return None
    return list(value.shape)


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
        and bool((_is_finite(stored) & ~_is_finite(taken.reshape(stored.shape))).any())
    ):
        return "beyond the range", types
    if not equal_numbers(stored.to(taken.dtype), taken.reshape(stored.shape)):
        return "replaced by other numbers, such as those of a tied weight", ""
    return ("", "") if stored.dtype == taken.dtype else ("of another precision", types)


def _is_finite(tensor: torch.Tensor) -> torch.Tensor:
    # types of one byte have few operators
    return (tensor.float() if tensor.dtype.itemsize == 1 else tensor).isfinite()


def _kind(tensor: torch.Tensor) -> str:
    if tensor.dtype == torch.bool:
        return "bool"
    return "complex" if tensor.is_complex() else "float" if tensor.is_floating_point() else "whole"


def _describe(groups: dict[str, list[str]]) -> str:
    return "; ".join(f"{len(names)} {what}: {list_names(names)}" for what, names in groups.items() if names)
