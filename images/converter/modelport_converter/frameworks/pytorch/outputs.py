"""Outputs of a PyTorch model as a graph has them: tensors in a row, each with a name from the structure of the answer."""

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from itertools import count

import ml_dtypes
import torch

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array

MAX_NAME = 120


def name_outputs(answer: object, taken: Collection[str] = ()) -> dict[str, torch.Tensor]:
    """Return the tensors of an answer by name: keys and fields are names, positions are appended to `output`.

    A graph has each name once: those in `taken`, the inputs', are avoided. Raises ModelportError (ConversionFailed) for
    what no graph can return.
    """
    found = [(name[:MAX_NAME] or "output", tensor) for name, tensor in _walk("", answer)]
    if not found:
        raise ModelportError(Reason.CONVERSION_FAILED, "outputs: expected tensors, found none")
    wanted = {name for name, _ in found}
    named: dict[str, torch.Tensor] = {}
    for name, tensor in found:
        others = (f"{name}_output{number or ''}" for number in count())
        free = name not in taken and name not in named
        own = name if free else next(each for each in others if each not in {*taken, *named, *wanted})
        named[own] = tensor
    return named


def to_array(name: str, tensor: torch.Tensor) -> Array:
    """Return the output's numbers. Raises ModelportError (ConversionFailed) for what the serving protocol has not."""
    if tensor.is_complex():
        _refuse(name, f"complex numbers ({_type(tensor)})", "torch.view_as_real of it")
    if tensor.layout != torch.strided or tensor.is_nested:
        _refuse(name, f"a tensor of layout {str(tensor.layout).removeprefix('torch.')}", "its to_dense()")
    if tensor.is_quantized:
        _refuse(name, f"a quantized tensor ({_type(tensor)})", "its dequantize()")
    plain = tensor.detach().cpu().contiguous().resolve_neg()
    if plain.dtype == torch.bfloat16:
        halves: Array = plain.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
        return halves.copy()
    if plain.is_floating_point() and plain.dtype.itemsize == 1:
        _refuse(name, f"elements of {_type(tensor)}", "it as float32")
    array: Array = plain.numpy()
    return array.copy()


def to_tensor(array: Array) -> torch.Tensor:
    """Return an input as PyTorch has it, sharing nothing with the array."""
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(array.view("int16").copy()).view(torch.bfloat16)
    return torch.from_numpy(array.copy())


def _walk(name: str, answer: object) -> Iterable[tuple[str, torch.Tensor]]:
    if isinstance(answer, torch.Tensor):
        yield name, answer
    elif isinstance(answer, (tuple, list)) and not hasattr(answer, "_fields"):
        for position, value in enumerate(answer):
            yield from _walk(f"{name or 'output'}_{position}" if len(answer) > 1 else name, value)
    elif answer is not None:
        for key, value in _fields(name, answer):
            yield from _walk(f"{name}_{key}" if name else key, value)


def _fields(name: str, answer: object) -> list[tuple[str, object]]:
    if isinstance(answer, Mapping):
        return [(str(key), value) for key, value in answer.items()]
    if isinstance(answer, tuple) and hasattr(answer, "_fields"):
        return list(zip(answer._fields, answer, strict=True))
    if dataclasses.is_dataclass(answer):
        return [(field.name, getattr(answer, field.name)) for field in dataclasses.fields(answer)]
    instead = f"torch.tensor({answer!r:.20})" if isinstance(answer, (bool, int, float)) else "tensors"
    _refuse(name or "output", f"a {type(answer).__name__}", f"{instead}, or leave it out")
    return []


def _refuse(name: str, found: str, instead: str) -> None:
    message = (
        f"output {name}: expected a tensor of plain numbers, found {found}; have the factory's model return {instead}"
    )
    raise ModelportError(Reason.CONVERSION_FAILED, message)


def _type(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
