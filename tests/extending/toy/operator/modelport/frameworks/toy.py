"""Toy: small perceptrons, as a text for people, as bytes, and compiled."""

from collections.abc import Callable
from typing import Annotated

from msgspec import Meta

from modelport.conversion.base import Converter, Format, Framework, Options
from modelport.conversion.detection import Evidence, Tree, play


class CompileOptions(Options, frozen=True, kw_only=True):
    """Options of the compiler."""

    digits: Annotated[int, Meta(description="Decimal digits that the weights keep.", ge=0, le=9)] = 9


def _begins(magic: bytes) -> Callable[[Tree], Evidence | None]:
    def detect(tree: Tree) -> Evidence | None:
        return play("model", [path for path in tree.paths if tree.read(path).startswith(magic)], is_sure=True)

    return detect


FRAMEWORK = Framework(
    "toy",
    "Toy",
    formats=(
        Format("toy-text", "Toy model as text", _begins(b"toy\n"), (".toy",), holds_graph=True),
        Format("toy-binary", "Toy model as bytes", _begins(b"TOYB"), (".toyb",), holds_graph=True),
        Format("toy-compiled", "Toy model, compiled"),
    ),
    converters=(
        Converter("toy-text", "toy-binary", Options, cost=1),
        Converter("toy-binary", "onnx", Options, cost=1),
        Converter("onnx", "toy-compiled", CompileOptions, cost=1),
    ),
)
