"""Which inputs of floats a PyTorch model uses as masks, seen while it answers: what it does with them before a softmax."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch

from modelport.verification.hints import LARGE, Hint, MaskUse, hint_of_mask
from modelport_converter.frameworks.pytorch.watching.known import Known

SOFTMAX = {"_softmax", "_log_softmax", "_safe_softmax"}
ATTENTION = ("_scaled_dot_product", "_transformer_encoder_layer_fwd")
"""Beginnings of operators that add a mask of floats to what their softmax takes."""
QUERY_KEY_VALUE = 3
"""What comes before masks there."""
SUMS = {"add", "add_", "baddbmm"}
ON_THE_WAY = SUMS | {"sub", "clamp", "clamp_min", "maximum", "mul", "div"}
"""What may stand between the sum with a mask and the softmax."""
COPIES = {"_to_copy", "clone", "repeat"}


class _Value(NamedTuple):
    """What follows from an input: 1 minus it, what was made large, or a sum that hides or may hide."""

    kind: Literal["complement", "large", "hiding", "added"]
    name: str


class Masks:
    """Remembers what was done with the inputs; `origin` names the input that a tensor is, '' if it follows from some."""

    def __init__(self, origin: Callable[[object], str | None]) -> None:
        self._origin = origin
        self._told: dict[str, set[MaskUse]] = {}
        self._values = Known[_Value]()

    def hints(self) -> dict[str, Hint]:
        """Return a hint for each input that hides."""
        found = {name: hint_of_mask(told) for name, told in self._told.items()}
        return {name: hint for name, hint in found.items() if hint is not None}

    def see(self, func: Any, args: Sequence[Any], options: Mapping[str, Any], result: object) -> None:
        """Note one operator that was run."""
        if not isinstance(result, torch.Tensor | tuple) or _is_view(func):
            return
        operator = func._schema.name.removeprefix("aten::")  # noqa: SLF001
        tensors = [each for each in [*args, *options.values()] if isinstance(each, torch.Tensor)]
        for position, tensor in enumerate(tensors):
            name, value = self._origin(tensor), self._values.of(tensor)
            if name and tensor.is_floating_point():
                self._see_input(operator, name, position, [*args, *options.values()], result)
            elif value is not None:
                self._see_value(operator, value, args, options, result)

    def _see_input(self, operator: str, name: str, position: int, given: Sequence[Any], result: Any) -> None:
        numbers = [float(each) for each in given if isinstance(each, int | float)]
        if operator in COPIES:
            if torch.bool in given:
                self._tell(name, "mask")
        elif (operator in {"eq", "ne"} and numbers and numbers[0] in {0, 1}) or operator == "logical_not":
            self._tell(name, "mask")
        elif operator in {"rsub", "sub"} and numbers[:1] == [1.0]:
            self._values.note(result, _Value("complement", name))
        elif operator == "mul" and _is_large(numbers):
            self._values.note(result, _Value("large", name))
        elif operator.startswith(ATTENTION) and position >= QUERY_KEY_VALUE:
            self._tell(name, "added")
        elif operator in SUMS and any(self._origin(each) == "" for each in given):
            self._values.note(result, _Value("added", name))
        else:
            self._tell(name, "number")

    def _see_value(
        self, operator: str, value: _Value, args: Sequence[Any], options: Mapping[str, Any], result: Any
    ) -> None:
        numbers = [float(each) for each in args if isinstance(each, int | float)]
        if value.kind == "complement":
            if (operator == "mul" and _is_large(numbers)) or options.get("dtype") == torch.bool:
                self._tell(value.name, "mask")
            elif operator in COPIES:
                self._values.note(result, value)
        elif value.kind == "large" and operator in SUMS | {"sub"}:
            self._values.note(result, _Value("hiding", value.name))
        elif value.kind == "large" and operator in SOFTMAX:
            self._tell(value.name, "number")  # divided by a temperature
        elif operator in SOFTMAX or operator.startswith(ATTENTION):
            self._tell(value.name, "added" if value.kind == "added" else "mask")
        elif operator in COPIES | ON_THE_WAY:
            self._values.note(result, value)

    def _tell(self, name: str, use: MaskUse) -> None:
        self._told.setdefault(name, set()).add(use)


def _is_large(numbers: Iterable[float]) -> bool:
    return any(abs(number) >= LARGE for number in numbers)


def _is_view(func: Any) -> bool:
    returned = func._schema.returns  # noqa: SLF001
    is_alias = bool(returned) and returned[0].alias_info is not None and not returned[0].alias_info.is_write
    return is_alias or func is torch.ops.aten._unsafe_view.default  # noqa: SLF001
