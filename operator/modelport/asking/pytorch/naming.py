"""Names of a model's outputs, from the structure of its answer; read where there is no PyTorch, too."""

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from itertools import count
from typing import TypeVar

from modelport.api.reasons import Reason
from modelport.errors import ModelportError

MAX_NAME = 120
Leaf = TypeVar("Leaf")


def name_leaves(answer: object, leaf: type[Leaf], taken: Collection[str] = ()) -> dict[str, Leaf]:
    """Return the leaves of an answer by name: keys and fields are names, positions are appended to `output`.

    A graph has each name once: those in `taken`, the inputs', are avoided. Raises ModelportError (ConversionFailed) for
    what no graph can return.
    """
    found = [(name[:MAX_NAME] or "output", each) for name, each in _walk("", answer, leaf)]
    if not found:
        raise ModelportError(Reason.CONVERSION_FAILED, "outputs: expected tensors, found none")
    wanted = {name for name, _ in found}
    named: dict[str, Leaf] = {}
    for name, each in found:
        others = (f"{name}_output{number or ''}" for number in count())
        free = name not in taken and name not in named
        own = name if free else next(other for other in others if other not in {*taken, *named, *wanted})
        named[own] = each
    return named


def refuse_output(name: str, found: str, instead: str) -> None:
    """Raise ModelportError (ConversionFailed): no graph returns what was found; say what it returns instead."""
    message = (
        f"output {name}: expected a tensor of plain numbers, found {found}; have the factory's model return {instead}"
    )
    raise ModelportError(Reason.CONVERSION_FAILED, message)


def _walk(name: str, answer: object, leaf: type[Leaf]) -> Iterator[tuple[str, Leaf]]:
    if isinstance(answer, leaf):
        yield name, answer
    elif isinstance(answer, (tuple, list)) and not hasattr(answer, "_fields"):
        for position, value in enumerate(answer):
            yield from _walk(f"{name or 'output'}_{position}" if len(answer) > 1 else name, value, leaf)
    elif answer is not None:
        for key, value in _fields(name, answer):
            yield from _walk(f"{name}_{key}" if name else key, value, leaf)


def _fields(name: str, answer: object) -> list[tuple[str, object]]:
    if isinstance(answer, Mapping):
        return [(str(key), value) for key, value in answer.items()]
    if isinstance(answer, tuple) and hasattr(answer, "_fields"):
        return list(zip(answer._fields, answer, strict=True))
    if dataclasses.is_dataclass(answer):
        return [(field.name, getattr(answer, field.name)) for field in dataclasses.fields(answer)]
    instead = f"torch.tensor({answer!r:.20})" if isinstance(answer, (bool, int, float)) else "tensors"
    refuse_output(name or "output", f"a {type(answer).__name__}", f"{instead}, or leave it out")
    return []
