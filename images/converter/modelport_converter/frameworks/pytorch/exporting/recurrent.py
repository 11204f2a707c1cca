"""Recurrent layers as one operator each while a program is captured.

torch.export runs a model on tensors without numbers, for which PyTorch has a recurrent layer as a loop of Python over its
time steps, so that the length of the example would stay. The operator itself has any length; shapes are all it needs to tell.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

_KEY = torch._C.DispatchKey.CompositeImplicitAutograd  # noqa: SLF001  # where the loop is registered
_OPERATORS = (
    torch.ops.aten.lstm.input,
    torch.ops.aten.gru.input,
    torch.ops.aten.rnn_tanh.input,
    torch.ops.aten.rnn_relu.input,
)


@contextmanager
def whole_layers() -> Iterator[None]:
    """Have recurrent layers tell their shapes instead of being run."""
    before = [each.py_kernels.get(_KEY) for each in _OPERATORS]
    _register([_describe] * len(_OPERATORS))
    try:
        yield
    finally:
        _register(before)


def _register(kernels: list[Any]) -> None:
    for each, kernel in zip(_OPERATORS, kernels, strict=True):
        each.py_kernels[_KEY] = kernel
        if kernel is None:
            del each.py_kernels[_KEY]
        each._dispatch_cache.clear()  # noqa: SLF001  # it would go on with the other one


def _describe(
    given: torch.Tensor,
    states: torch.Tensor | list[torch.Tensor],
    _weights: list[torch.Tensor],
    _has_biases: bool,
    _layers: int,
    _dropout: float,
    _train: bool,
    bidirectional: bool,
    _batch_first: bool,
) -> tuple[torch.Tensor, ...]:
    """Return what a layer answers, without numbers: all states have the size of its answer in one direction."""
    held = [states] if isinstance(states, torch.Tensor) else states
    width = held[0].shape[-1] * (2 if bidirectional else 1)
    return given.new_empty((*given.shape[:2], width)), *(each.new_empty(each.shape) for each in held)
