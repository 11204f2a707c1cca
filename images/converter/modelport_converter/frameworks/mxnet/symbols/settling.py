"""Which axes `squeeze` leaves out where none are named: MXNet finds that anew for each question, a model that is served must not.

A free axis of a question with one row would go, too, and all that follows would stand elsewhere. So each such layer is told the
axes that always have the length 1, before it is asked or converted.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from modelport.api.spec import DimensionRange
from modelport.jobs.requests import ConvertRequest
from modelport_converter.frameworks.mxnet.symbols.model import Inferred, Model, load_symbol, open_model
from modelport_converter.frameworks.mxnet.symbols.probing import probe
from modelport_converter.frameworks.mxnet.symbols.reading.graphs import Node, read_graph

SQUEEZES = frozenset({"squeeze", "_np_squeeze", "_npi_squeeze"})
KEPT = "layers {} leave out only axes that always have the length 1; MXNet leaves out free ones of that length, too"
TOLD = 3
"""How many layers a caveat has room for."""


class Settled(NamedTuple):
    """A model whose layers keep the number of their axes, and what MXNet infers of it for two choices of lengths."""

    model: Model
    inferred: tuple[Inferred, Inferred]
    changed: tuple[str, ...]
    """Names of layers that were told their axes."""

    @property
    def caveats(self) -> list[str]:
        """What a user should know of this."""
        more = " …" if len(self.changed) > TOLD else ""
        return [KEPT.format(", ".join(self.changed[:TOLD]) + more)] if self.changed else []


def open_settled(request: ConvertRequest, folder: Path) -> Settled:
    """Load a model, and settle what would depend on a question. Raises ModelportError."""
    return settle(open_model(request, folder), request.dimensions)


def settle(model: Model, dimensions: Mapping[str, DimensionRange]) -> Settled:
    """Name the axes of each `squeeze` that has none. Raises ModelportError."""
    changed: dict[str, None] = {}
    while True:  # where a choice has a length of 1, layers behind a squeeze are told their axes only once it is settled
        inferred = probe(model, dimensions)
        axes = _find_axes(model, inferred)
        if not axes:
            return Settled(model, inferred, tuple(changed))
        changed |= dict.fromkeys(model.graph.nodes[number].name for number in axes)
        model = _with_axes(model, axes)


def _find_axes(model: Model, inferred: tuple[Inferred, Inferred]) -> dict[int, tuple[int, ...]]:
    """Return the axes that always have the length 1, by layer that would choose others for some lengths."""
    found = {}
    for number in model.graph.needed():
        node = model.graph.nodes[number]
        if node.operator in SQUEEZES and not _has_axes(node):
            one, other = (each.entries[node.inputs[0]] for each in inferred)
            if len(one) == len(other) and one != other:
                pairs = enumerate(zip(one, other, strict=True))
                found[number] = tuple(axis for axis, pair in pairs if pair == (1, 1))
    return found


def _has_axes(node: Node) -> bool:
    return node.attributes.get("axis", "None").strip() not in {"None", ""}


def _with_axes(model: Model, axes: Mapping[int, tuple[int, ...]]) -> Model:
    content = json.loads(model.symbol.tojson())
    for number, found in axes.items():
        content["nodes"][number].setdefault("attrs", {})["axis"] = str(found)
    symbol = load_symbol(json.dumps(content), "the symbol with named axes")
    return model._replace(symbol=symbol, graph=read_graph(symbol.tojson(), "the symbol with named axes"))
