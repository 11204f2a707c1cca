"""Ask a PyTorch model with named arrays.

Outputs are named from the structure of the answer. What went into a final softmax or sigmoid is kept, because errors
show there that the activation hides.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from modelport.api import Input
from modelport.contract import ModelportError
from modelport.reasons import Reason
from modelport.verification.arrays import Array, Tensors
from modelport.verification.reference import Answer

_ACTIVATIONS = {
    torch.ops.aten._softmax.default,  # noqa: SLF001  # what softmax is called below autograd
    torch.ops.aten._log_softmax.default,  # noqa: SLF001
    torch.ops.aten.sigmoid.default,
    torch.ops.aten.sigmoid_.default,
}
_REARRANGEMENTS = {
    torch.ops.aten.alias.default,
    torch.ops.aten.clone.default,
    torch.ops.aten.detach.default,
    torch.ops.aten.permute.default,
    torch.ops.aten.squeeze.default,
    torch.ops.aten.squeeze.dim,
    torch.ops.aten.squeeze.dims,
    torch.ops.aten.t.default,
    torch.ops.aten.transpose.int,
    torch.ops.aten.unsqueeze.default,
    torch.ops.aten.view.default,
    torch.ops.aten._unsafe_view.default,  # noqa: SLF001
}
"""What leaves the elements as they are: done to the logits as well, so that they keep the output's shape."""


class _Watch(TorchDispatchMode):
    """Remembers the argument of each activation by its result, and the operators that draw random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.random: set[str] = set()
        self._logits: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}  # the result is kept, so its id stays its own

    def logits_of(self, output: torch.Tensor) -> torch.Tensor | None:
        found = self._logits.get(id(output))
        return found[1] if found else None

    def __torch_dispatch__(
        self, func: Any, types: Iterable[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = kwargs or {}
        logits: torch.Tensor | None = None
        if torch.Tag.nondeterministic_seeded in func.tags:
            self.random.add(str(func))
        if func in _ACTIVATIONS:
            logits = args[0].clone()  # sigmoid_ overwrites it
        elif func in _REARRANGEMENTS:
            before = self.logits_of(args[0])
            logits = None if before is None else _rearranged(func, before, args[1:], options)
        result = func(*args, **options)
        if isinstance(result, torch.Tensor):
            self._logits.pop(id(result), None)
            if logits is not None:
                self._logits[id(result)] = (result, logits)
        return result


def _rearranged(
    func: Any, logits: torch.Tensor, args: Sequence[Any], options: Mapping[str, Any]
) -> torch.Tensor | None:
    try:
        result: torch.Tensor = func(logits, *args, **options)
    except RuntimeError:
        return None  # other strides than the output's forbid the view: then the output alone is compared
    return result


class Flattened(torch.nn.Module):
    """The model with its outputs in a row, as graphs have them."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the outputs in the order of `name_outputs`."""
        return tuple(name_outputs(self.model(*inputs)).values())


def name_outputs(answer: object) -> dict[str, torch.Tensor]:
    """Return the tensors of an answer by name: keys and fields are names, positions are appended to `output`.

    Raises ModelportError (ConversionFailed) for what no graph can return.
    """
    return dict(_walk("", answer))


class Asker:
    """Asks the model; the inputs are its positional arguments."""

    def __init__(self, model: torch.nn.Module, inputs: Sequence[Input]) -> None:
        self._model = model
        self._names = [each.name for each in inputs]
        self._random: set[str] = set()

    def run(self, tensors: Tensors) -> Answer:
        """Return the model's answer."""
        arguments = [torch.from_numpy(tensors[name].copy()) for name in self._names]
        with torch.no_grad(), _Watch() as watch:
            outputs = name_outputs(self._model(*arguments))
            logits = {name: watch.logits_of(tensor) for name, tensor in outputs.items()}
        self._random |= watch.random
        return Answer(
            {self._free_name(name): _array(tensor) for name, tensor in outputs.items()},
            {self._free_name(name): _array(each) for name, each in logits.items() if each is not None},
        )

    def random_operations(self) -> list[str]:
        """Return what makes two runs differ: operators that drew numbers, and modules that are left in training."""
        modules = [
            f"{name or 'model'} ({type(module).__name__} in training mode)"
            for name, module in self._model.named_modules()
            if module.training
        ]
        return [*sorted(self._random), *modules]

    def _free_name(self, name: str) -> str:
        return f"{name}_output" if name in self._names else name  # a graph has each name once


def _walk(name: str, answer: object) -> Iterable[tuple[str, torch.Tensor]]:
    if isinstance(answer, torch.Tensor):
        yield name or "output", answer
    elif isinstance(answer, (tuple, list)) and not hasattr(answer, "_fields"):
        for position, value in enumerate(answer):
            own = f"{name or 'output'}_{position}" if len(answer) > 1 else name
            yield from _walk(own, value)
    elif answer is not None:
        for key, value in _fields(answer):
            yield from _walk(f"{name}_{key}" if name else key, value)


def _fields(answer: object) -> list[tuple[str, object]]:
    if isinstance(answer, Mapping):
        return [(str(key), value) for key, value in answer.items()]
    if isinstance(answer, tuple) and hasattr(answer, "_fields"):
        return list(zip(answer._fields, answer, strict=True))
    message = f"outputs: expected tensors in tuples, lists or dicts, found {type(answer).__name__}"
    raise ModelportError(Reason.CONVERSION_FAILED, message)


def _array(tensor: torch.Tensor) -> Array:
    array: Array = tensor.detach().cpu().contiguous().numpy()
    return array.copy()
