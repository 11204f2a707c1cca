"""Names of answers: no input may have one of them."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from modelport.api.spec import Input
from modelport_converter.onnx_graphs.graphs import fresh_name

Value = TypeVar("Value")


def named_apart(answers: Mapping[str, Value], inputs: Iterable[Input]) -> dict[str, Value]:
    """Return the answers with a number behind each name that an input has."""
    taken = {each.name for each in inputs}
    return {fresh_name(name, taken): value for name, value in answers.items()}
