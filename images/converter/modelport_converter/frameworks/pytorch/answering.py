"""Ask a PyTorch model with named arrays, under watch."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import cast, get_args

import torch

from modelport.api.base import Dtype
from modelport.api.reasons import Reason
from modelport.api.spec import DimensionRange, Input
from modelport.asking.pytorch.tensors import name_outputs, to_array, to_tensor
from modelport.errors import ModelportError, lacks_memory
from modelport.verification.arrays import Array, Tensors
from modelport.verification.calls import Infer
from modelport.verification.samples.domains import known_domains
from modelport.verification.samples.values import make_tensors, shape_of
from modelport_converter.frameworks.pytorch.building.state import find_changes, take_marks, walk
from modelport_converter.frameworks.pytorch.watching.watch import Watch, coarsest

MAX_CHANGES = 3
WIDE_BYTES = 256 << 20
PROBE_LENGTHS = (7, 8, 33)
"""Lengths of free dimensions that are tried to see what a model does with its inputs."""


class Asker:
    """Asks the model; the inputs are its positional arguments."""

    def __init__(self, model: torch.nn.Module, inputs: Sequence[Input], code: Path) -> None:
        self._model = model
        self._names = [each.name for each in inputs]
        self._marks = take_marks(model)
        self.watch = Watch(code)

    def run(self, tensors: Tensors) -> Tensors:
        """Return the model's answer, under watch."""
        return self._ask(tensors, self.watch)

    def run_unwatched(self, tensors: Tensors) -> Tensors:
        """Return the model's answer, which takes small models a quarter of the time."""
        return self._ask(tensors, None)

    def _ask(self, tensors: Tensors, watch: Watch | None) -> Tensors:
        arguments = {name: to_tensor(tensors[name]) for name in self._names}
        if watch is not None:
            watch.expect(arguments)
        try:
            with torch.no_grad(), watch or nullcontext():
                answer = self._model(*arguments.values())
        except AttributeError as error:
            if not isinstance(error.obj, torch.nn.Module):
                raise
            message = f"{type(error.obj).__name__:.100} has no attribute {error.name!s:.100}, which its code asks for"
            told = "give the code of the version that the model was stored with"
            raise ModelportError(Reason.FACTORY_FAILED, f"{message}; {told}") from error
        return {name: to_array(name, tensor) for name, tensor in name_outputs(answer, self._names).items()}

    def find_random_operations(self) -> list[str]:
        """Return what makes two runs differ: places that draw numbers, and values that runs have changed."""
        changed = find_changes(self._model, self._marks)
        return [*self.watch.random, *(f"{name} (changed by running)" for name in changed[:MAX_CHANGES])]

    def find_precision(self) -> Dtype:
        """Return the coarsest type that it computed with, or holds if it was not asked yet."""
        held = (value.dtype for _, value in walk(self._model) if isinstance(value, torch.Tensor))
        found = self.watch.precision or coarsest(held) or "float32"
        return cast("Dtype", found) if found in get_args(Dtype) else "float32"


def widen(model: torch.nn.Module, inputs: Sequence[Input], code: Path) -> Infer | None:
    """Return what asks a copy of the model in float64; its parameters must be few enough to be held once more."""
    if sum(tensor.nbytes for tensor in model.state_dict().values() if isinstance(tensor, torch.Tensor)) > WIDE_BYTES:
        return None

    @cache
    def build() -> Asker:
        return Asker(deepcopy(model).double(), inputs, code)

    def run(tensors: Tensors) -> Tensors:
        floats = {name for name, tensor in tensors.items() if tensor.dtype.kind == "f"}
        return build().run_unwatched(
            {name: each.astype(float) if name in floats else each for name, each in tensors.items()}
        )

    return run


def probe(
    model: torch.nn.Module, inputs: Sequence[Input], dimensions: Mapping[str, DimensionRange], code: Path
) -> Asker:
    """Ask the model something that it may well refuse, to see what it does with its inputs."""
    asker = Asker(model, inputs, code)
    for length in PROBE_LENGTHS:
        try:
            asker.run({each.name: _example(each, dimensions, length) for each in inputs})
        except Exception as error:  # the samples will tell, with words of their own
            if lacks_memory(error):
                raise
            continue
        break
    return asker


def _example(each: Input, dimensions: Mapping[str, DimensionRange], length: int) -> Array:
    lengths = {
        axis: _length(dimensions.get(axis, DimensionRange()), length) for axis in each.shape if isinstance(axis, str)
    }
    if each.values:
        return make_tensors([each], known_domains([each], {}, ()), lengths, 0)[each.name]
    shape, dtype = shape_of(each, lengths), getattr(torch, each.dtype)
    return to_array(each.name, (torch.randn(shape) if dtype.is_floating_point else torch.zeros(shape)).to(dtype))


def _length(limits: DimensionRange, wanted: int) -> int:
    multiple = -(-max(wanted, limits.min) // limits.multiple_of) * limits.multiple_of
    return multiple if limits.max is None else min(multiple, limits.max)
