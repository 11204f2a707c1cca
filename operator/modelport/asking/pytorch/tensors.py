"""Outputs of a PyTorch model as a graph has them: tensors in a row, each with a name from the structure of the answer."""

from collections.abc import Collection
from typing import Any

import ml_dtypes
import numpy.typing as npt
import torch

from modelport.asking.pytorch.naming import name_leaves, refuse_output

Array = npt.NDArray[Any]


def name_outputs(answer: object, taken: Collection[str] = ()) -> dict[str, torch.Tensor]:
    """Return the tensors of an answer by name (`naming`). Raises ModelportError (ConversionFailed)."""
    return name_leaves(answer, torch.Tensor, taken)


def to_array(name: str, tensor: torch.Tensor) -> Array:
    """Return the output's numbers. Raises ModelportError (ConversionFailed) for what the serving protocol has not."""
    if tensor.is_complex():
        refuse_output(name, f"complex numbers ({_type(tensor)})", "torch.view_as_real of it")
    if tensor.layout != torch.strided or tensor.is_nested:
        refuse_output(name, f"a tensor of layout {str(tensor.layout).removeprefix('torch.')}", "its to_dense()")
    if tensor.is_quantized:
        refuse_output(name, f"a quantized tensor ({_type(tensor)})", "its dequantize()")
    plain = tensor.detach().cpu().contiguous().resolve_neg()
    if plain.dtype == torch.bfloat16:
        halves: Array = plain.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
        return halves.copy()
    if plain.is_floating_point() and plain.dtype.itemsize == 1:
        refuse_output(name, f"elements of {_type(tensor)}", "it as float32")
    array: Array = plain.numpy()
    return array.copy()


def to_tensor(array: Array) -> torch.Tensor:
    """Return an input as PyTorch has it, sharing nothing with the array."""
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(array.view("int16").copy()).view(torch.bfloat16)
    return torch.from_numpy(array.copy())


def _type(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
