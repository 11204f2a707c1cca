"""A PyTorch model in the form that graphs are made of, and how a graph came about."""

import traceback
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch

from modelport.api.spec import Input
from modelport.api.status import Tensor
from modelport.asking.pytorch.tensors import name_outputs, to_tensor
from modelport.errors import causes, describe_error
from modelport.verification.arrays import Tensors
from modelport.verification.reference import Reference
from modelport_converter.frameworks.pytorch.building.state import settle
from modelport_converter.frameworks.pytorch.watching.watch import is_torch


class Flattened(torch.nn.Module):
    """The model with its outputs in a row, as graphs have them; exporters cannot switch its mode."""

    def __init__(self, model: torch.nn.Module, inputs: Sequence[Input | Tensor]) -> None:
        super().__init__()
        self.model = model
        self._names = [each.name for each in inputs]
        settle(self)

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the outputs in the order of `name_outputs`."""
        return tuple(name_outputs(self.model(*inputs), self._names).values())

    def train(self, mode: bool = True) -> "Flattened":  # noqa: ARG002  # as in torch.nn.Module
        """Stay in evaluation mode: an exporter that restores a mode would wake dropout for the next one."""
        return self


class Exported(NamedTuple):
    """How the file came about."""

    is_doubtful: bool = False
    """Whether it is a trace that may hold for its example alone."""
    refusal: str = ""
    """Why no graph was captured instead, if that was tried."""
    places: tuple[str, ...] = ()
    """Where Python looked at a number or a length, which a trace bakes in, and capture may, if it is a length."""
    wholes: tuple[str, ...] = ()
    """Where the trace turned tensors into lists or arrays, whose values are baked in."""


class RefusedError(Exception):
    """An exporter's reason."""


def pick_example(reference: Reference, inputs: Sequence[Input | Tensor]) -> Tensors:
    """Return the sample to show an exporter: few lengths of 1, which are taken for broadcasts, few equal ones, small."""

    def rank(tensors: Tensors) -> tuple[int, int, int]:
        free = {
            dimension: tensors[each.name].shape[axis]
            for each in inputs
            for axis, dimension in enumerate(each.shape)
            if isinstance(dimension, str)
        }
        ones = sum(length <= 1 for tensor in tensors.values() for length in tensor.shape)
        return ones, len(free) - len(set(free.values())), sum(tensor.size for tensor in tensors.values())

    return min((sample.inputs[0] for sample in reference.usual), key=rank)


@contextmanager
def plain_operators() -> Iterator[None]:
    """Have layers run as operators."""
    # a fused kernel stands for a whole transformer layer, and is no operator of ONNX
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def tell_places(caught: Iterable[warnings.WarningMessage]) -> tuple[str, ...]:
    """Return the lines that were warned of, but for PyTorch's own."""
    found = (f"{Path(each.filename).name}:{each.lineno}" for each in caught if not is_torch(each.filename))
    return tuple(dict.fromkeys(found))


def is_whole(warning: warnings.WarningMessage) -> bool:
    """Whether a tensor became a list or an array, whose values a trace bakes in."""
    return "Python list" in str(warning.message) or "NumPy array" in str(warning.message)


def describe_refusal(error: BaseException, code: Path) -> str:
    """Return what went wrong, and at which line of the user's: the exporters wrap it into advice about themselves."""
    *_, error = causes(error)
    root = str(code.resolve())
    places = [each for each in traceback.extract_tb(error.__traceback__) if each.filename.startswith(root)]
    at = f" at {Path(places[-1].filename).name}:{places[-1].lineno}: {places[-1].line!s:.80}" if places else ""
    return f"{describe_error(error)}{at}"


def free_axes(each: Input | Tensor) -> dict[int, str]:
    """Return the names of the free lengths of a tensor by axis."""
    return {axis: length for axis, length in enumerate(each.shape) if isinstance(length, str)}


def to_arguments(example: Tensors, inputs: Sequence[Input | Tensor]) -> tuple[torch.Tensor, ...]:
    """Return the inputs of an example in the model's order."""
    return tuple(to_tensor(example[each.name]) for each in inputs)
