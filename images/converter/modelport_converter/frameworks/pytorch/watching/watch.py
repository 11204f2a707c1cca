"""Watch a PyTorch model while it answers, below Python: what it computes with, draws at random, and looks at.

A look is a place in Python that takes a number out of a tensor that follows from the inputs (`if x.max() > 8`,
`int(lengths.max())`): an exporter that traces bakes in what that number was.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch._ops import HigherOrderOperator
from torch.utils._python_dispatch import TorchDispatchMode

from modelport.verification.source.model import Hint
from modelport_converter.frameworks.pytorch.watching.known import Known
from modelport_converter.frameworks.pytorch.watching.masks import Masks

MAX_VALUES = 64
_LOOKS = {torch.ops.aten._local_scalar_dense.default, torch.ops.aten.equal.default, torch.ops.aten.allclose.default}  # noqa: SLF001
_COPIES = {torch.ops.aten._to_copy.default, torch.ops.aten.clone.default, torch.ops.aten.repeat.default}  # noqa: SLF001
_TABLES = {
    torch.ops.aten.embedding.default: 1,
    torch.ops.aten._embedding_bag_forward_only.default: 1,  # noqa: SLF001
    torch.ops.aten.index_select.default: 2,
    torch.ops.aten.gather.default: 2,
    torch.ops.aten.scatter_.value: 2,  # torch.nn.functional.one_hot
}
"""Operators that take rows of their first argument, and which argument says which."""
_PACKING = torch.ops.aten._pack_padded_sequence.default  # noqa: SLF001
_PRECISIONS = (torch.bfloat16, torch.float16, torch.float32, torch.float64)
"""The coarsest first."""


class Place(NamedTuple):
    """A line of the user's code, or of a library that it called."""

    file: str
    line: int
    called: str
    """The function of PyTorch's that was called there; empty: an operator itself."""

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line}"


class Watch(TorchDispatchMode):
    """Remembers, over all runs, what a model does; entered once for each."""

    supports_higher_order_operators = True
    """Control flow of a captured graph is asked as one operator, and what is inside it not seen."""

    def __init__(self, code: Path) -> None:
        super().__init__()
        self.random: dict[str, None] = {}
        self.looks: dict[Place, set[object]] = {}
        self.packings: dict[Place, None] = {}
        self._tables: dict[str, Hint] = {}
        self._code = str(code.resolve())
        self._precisions: set[torch.dtype] = set()
        self._origins = Known[str]()
        """The input that a tensor is, an empty string if it only follows from inputs."""
        self._masks = Masks(self._origins.of)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Say that this need not be kept from PyTorch's compiler: only to do so would load it, which takes a second."""
        return False

    @property
    def precision(self) -> str | None:
        """The coarsest floating-point type that was computed with."""
        return coarsest(self._precisions)

    @property
    def hints(self) -> dict[str, Hint]:
        """What was seen of the inputs' values, by name."""
        return self._masks.hints() | self._tables

    def expect(self, inputs: Mapping[str, torch.Tensor]) -> None:
        """Begin a run: what follows from these tensors is data."""
        self._origins.forget()
        for name, tensor in inputs.items():
            self._origins.note(tensor, name)

    def __torch_dispatch__(
        self, func: Any, types: Iterable[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = kwargs or {}
        origins = [
            origin for each in _tensors([*args, *options.values()]) if (origin := self._origins.of(each)) is not None
        ]
        self._see_table(func, args)
        if func is _PACKING:
            self.packings[self._place()] = None
        if torch.Tag.nondeterministic_seeded in getattr(func, "tags", ()):
            place = self._place()
            self.random[f"{place.called or func} at {place} ({func})"] = None
        result = func(*args, **options)
        if isinstance(func, HigherOrderOperator):
            for tensor in _tensors([result] if origins else []):
                self._origins.note(tensor, "")
            return result
        self._masks.see(func, args, options, result)
        for tensor in _tensors([result]):
            self._precisions.add(tensor.dtype)
            # a view stays what its base is
            if origins and (func._schema.is_mutable or self._origins.of(tensor) is None):  # noqa: SLF001
                self._origins.note(tensor, origins[0] if func in _COPIES else "")
        if origins and func in _LOOKS:
            values = self.looks.setdefault(self._place(), set())
            if len(values) < MAX_VALUES:
                values.add(result)
        return result

    def _see_table(self, func: Any, args: Sequence[Any]) -> None:
        if func in _TABLES and self._origins.of(args[0]) is None:
            self._hint(args[_TABLES[func]], args[0], args[1] if _TABLES[func] > 1 else 0)
        elif func is torch.ops.aten.index.Tensor and self._origins.of(args[0]) is None:
            for axis, indices in enumerate(args[1]):
                self._hint(indices, args[0], axis)

    def _hint(self, indices: object, table: torch.Tensor, axis: int) -> None:
        if (name := self._origins.of(indices)) and isinstance(indices, torch.Tensor) and indices.dtype != torch.bool:
            known = self._tables.get(name, Hint(highest=sys.maxsize))
            self._tables[name] = Hint(lowest=0, highest=min(known.highest or 0, table.shape[axis] - 1))

    def _place(self) -> Place:
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  # the stack is what is asked for
        outside, called = None, ""
        while frame is not None:
            file = frame.f_code.co_filename
            if file.startswith(self._code):
                return Place(file, frame.f_lineno, called)
            if outside is None and not is_torch(file) and file != __file__:
                outside = Place(file, frame.f_lineno, called)
            if is_torch(file):
                called = frame.f_code.co_name
            frame = frame.f_back
        return outside or Place("?", 0, called)


def coarsest(dtypes: Iterable[torch.dtype]) -> str | None:
    """Return the floating-point type with the fewest digits."""
    found = set(dtypes)
    return next((str(each).removeprefix("torch.") for each in _PRECISIONS if each in found), None)


def is_torch(file: str) -> bool:
    """Return whether a file is PyTorch's own."""
    return file.startswith(str(Path(torch.__file__).parent))


def _tensors(values: Iterable[object]) -> Iterable[torch.Tensor]:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)
