"""What a PyTorch model holds, wherever it holds it: also lists of layers, plain tensors and closures beside the tree.

state_dict() and eval() reach registered parts alone; what else takes part in an answer is found here.
"""

import types
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import chain

import numpy as np
import torch

from modelport.asking.pytorch.tensors import to_array, to_tensor
from modelport.verification.source.moving import move_weights

Leaf = torch.Tensor | np.ndarray | int | float | complex  # bool is an int
_REGISTRIES = ("_parameters", "_buffers", "_modules")
_MOVABLE = (torch.bfloat16, torch.float16, torch.float32, torch.float64)
_OPAQUE = (type, types.ModuleType, str, bytes, torch.dtype, torch.device, torch.fx.Graph)
_HASHED_BYTES = 1 << 20


def walk(model: torch.nn.Module) -> Iterator[tuple[str, object]]:
    """Return all that the model holds, by dotted name: modules, and the numbers and tensors in them."""
    waiting: list[tuple[str, object]] = [("", model)]
    seen: set[int] = set()
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, Leaf):
            yield name, value
        elif id(value) not in seen and not isinstance(value, _OPAQUE):
            seen.add(id(value))
            yield name, value
            waiting.extend((f"{name}.{key}" if name else str(key), part) for key, part in _parts(value))


def settle(model: torch.nn.Module) -> None:
    """Put every module into evaluation mode, also those that eval() does not reach or that override train()."""
    with suppress(NotImplementedError):  # an exported program has one mode
        model.eval()
    for _, value in walk(model):
        if isinstance(value, torch.nn.Module) and getattr(value, "training", False):  # frozen TorchScript has none
            value.training = False


def take_marks(model: torch.nn.Module) -> dict[str, object]:
    """Return what tells later whether a value was changed or replaced."""
    return {name: _mark(value) for name, value in walk(model) if isinstance(value, Leaf)}


def find_changes(model: torch.nn.Module, marks: dict[str, object]) -> list[str]:
    """Return the names of the values that are no longer what they were."""
    now = take_marks(model)
    return [name for name, mark in now.items() if marks.get(name, mark) != mark or name not in marks]


def move_parameters(model: torch.nn.Module) -> None:
    """Move all weights by one unit in the last place, wherever the model holds them."""
    random = np.random.default_rng(0)
    held = {id(value): value for _, value in walk(model) if isinstance(value, torch.nn.Parameter)}  # tied ones once
    for value in held.values():
        if value.dtype in _MOVABLE:
            with torch.no_grad():
                value.copy_(to_tensor(move_weights(to_array("", value), random)))


def find_differences(one: torch.nn.Module, other: torch.nn.Module) -> list[str]:
    """Return the names of the numbers and tensors in which two models differ."""
    others = dict(walk(other))
    return [
        name
        for name, value in walk(one)
        if isinstance(value, Leaf) and name in others and not _are_equal(value, others[name])
    ]


def _parts(value: object) -> Iterator[tuple[object, object]]:
    if isinstance(value, Mapping):
        yield from list(value.items())
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from enumerate(value)
    elif isinstance(value, types.FunctionType):
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
        yield from ((name, cell.cell_contents) for name, cell in cells if cell != types.CellType())
    elif isinstance(value, types.MethodType):
        yield "__self__", value.__self__
    else:
        attributes = dict(getattr(value, "__dict__", None) or {})
        registered = [attributes.pop(name, None) or {} for name in _REGISTRIES]
        yield from chain(*(each.items() for each in registered), attributes.items(), _scripted(value))


def _scripted(value: object) -> Iterator[tuple[str, object]]:
    """Return what a module of TorchScript holds beside what is registered, which Python's attributes do not show."""
    if isinstance(value, torch.jit.ScriptModule) and hasattr(value, "_concrete_type"):
        names = value._concrete_type.get_attributes()  # noqa: SLF001  # nothing else tells them
        yield from ((name, getattr(value, name)) for name in names if hasattr(value, name))


def _mark(value: object) -> object:
    if isinstance(value, torch.Tensor):
        return id(value), None if value.is_inference() else value._version  # noqa: SLF001  # counts writes in place
    if isinstance(value, np.ndarray):
        return id(value), value.tobytes() if value.nbytes <= _HASHED_BYTES else b""
    return value


def _are_equal(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.shape == other.shape and one.dtype == other.dtype and equal_numbers(one, other)
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return np.array_equal(one, other, equal_nan=one.dtype.kind in "fc")
    return type(one) is type(other) and (one == other or one != one)  # noqa: PLR0124  # NaN


def equal_numbers(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Return whether all elements are equal, NaN to NaN."""
    if one.layout != torch.strided or one.is_quantized or one.is_meta or other.is_meta:
        return True  # no such tensor is ever loaded
    with torch.no_grad():
        return torch.equal(one, other) or bool(((one == other) | ((one != one) & (other != other))).all())  # noqa: PLR0124
