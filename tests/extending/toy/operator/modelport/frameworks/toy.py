"""Toy: small perceptrons, as a text for people, as bytes, and compiled."""

from typing import Annotated

from msgspec import Meta

from modelport.conversion.base import Converter, Format, Framework, Options


class CompileOptions(Options, frozen=True, kw_only=True):
    """Options of the compiler."""

    digits: Annotated[int, Meta(description="Decimal digits that the weights keep.", ge=0, le=9)] = 9


FRAMEWORK = Framework(
    "toy",
    "Toy",
    formats=(
        Format("toy-text", "Toy model as text", lambda _, head: head.startswith(b"toy\n"), holds_graph=True),
        Format("toy-binary", "Toy model as bytes", lambda _, head: head.startswith(b"TOYB"), holds_graph=True),
        Format("toy-compiled", "Toy model, compiled"),
    ),
    converters=(
        Converter("toy-text", "toy-binary", Options, cost=1),
        Converter("toy-binary", "onnx", Options, cost=1),
        Converter("onnx", "toy-compiled", CompileOptions, cost=1),
    ),
)
