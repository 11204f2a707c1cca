"""What a writer of operators is given."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array
from modelport_converter.frameworks.paddle.reading.program import Operator, Program, Value
from modelport_converter.onnx_graphs.writing import GraphWriter, Operand


class Context(NamedTuple):
    """One operator, and what is around it."""

    writer: GraphWriter
    operator: Operator
    program: Program
    names: Mapping[str, str]
    """Names in the model of values that have another one there: inputs and outputs."""
    arrays: Mapping[str, Array]
    """Weights that operators take."""

    def attribute(self, *names: str, default: Any = None) -> Any:
        """Return the first attribute that there is: generations call some differently."""
        return attribute(self.operator, *names, default=default)

    def has(self, slot: str) -> bool:
        """Whether an input is given."""
        return bool(self.operator.inputs.get(slot))

    def value(self, slot: str) -> Value:
        """Return type and shape of an input."""
        return self.program.values[self.operator.inputs[slot][0]]

    def operand(self, slot: str, number: int = 0) -> Operand:
        """Return an input: its name in the model, or its numbers if it is a weight or a constant."""
        name = self.operator.inputs[slot][number]
        array = self.find_array(slot, number)
        return self.names.get(name, name) if array is None else array

    def find_array(self, slot: str, number: int = 0) -> Array | None:
        """Return the numbers of an input that is a weight or a constant."""
        name = self.operator.inputs[slot][number]
        value = self.program.values.get(name)
        if value and value.name in self.arrays:
            return self.arrays[value.name]
        if name in self.program.constants and value:
            return np.array(self.program.constants[name], value.dtype)
        return None

    def array(self, slot: str, number: int = 0) -> Array:
        """Return the numbers of an input that is a weight or a constant. Raises ModelportError (ConversionFailed)."""
        found = self.find_array(slot, number)
        if found is None:
            raise self.refuse(f"{slot} that is computed", "a constant")
        return found

    def out(self, slot: str = "Out", number: int = 0) -> str:
        """Return the name in the model of an output."""
        name = self.operator.outputs[slot][number]
        return self.names.get(name, name)

    def is_used(self, slot: str) -> bool:
        """Whether anything takes an output."""
        made = set(self.operator.outputs.get(slot, ()))
        taken = {name for each in self.program.operators for names in each.inputs.values() for name in names}
        return bool(made & (taken | set(self.program.fetched)))

    def refuse(self, found: str, expected: str) -> ModelportError:
        """Return the error of an operator that cannot be written."""
        message = f"operator {self.operator.kind}: expected {expected}, found {found}; build the network without it"
        return ModelportError(Reason.CONVERSION_FAILED, message[:400])


def attribute(operator: Operator, *names: str, default: Any = None) -> Any:
    """Return the first attribute that there is."""
    return next((operator.attributes[name] for name in names if operator.attributes.get(name) is not None), default)


def _always(_operator: Operator, _program: Program) -> bool:
    return True


class Writer(NamedTuple):
    """What writes the operators of a kind."""

    write: Callable[[Context], object]
    is_meant: Callable[[Operator, Program], bool] = _always
    """Whether this one must be written here; the others are left to paddle2onnx."""
