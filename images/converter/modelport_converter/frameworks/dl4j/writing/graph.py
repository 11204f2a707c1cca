"""What is written: the graph of a network, and the tensors in it, in DL4J's own layout of axes."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport_converter.onnx_graphs.writing import GraphWriter

CHARACTERS = 80


class Value(NamedTuple):
    """A tensor, in DL4J's own layout of axes."""

    name: str
    rank: int


class Graph(GraphWriter):
    """The graph of a network; what is computed in is `dtype`."""

    first_input = ""
    """Of the network: its rows are the batch."""

    def numbers(self, values: ArrayLike) -> str:
        """Add weights of the type that is computed in."""
        return self.weight(np.asarray(values, self.dtype))


def refused(where: str, message: str) -> ModelportError:
    """Return the error for what cannot be converted: of which layer, what it has, and what to do."""
    return ModelportError(Reason.CONVERSION_FAILED, f"{where:.{CHARACTERS}}: {message}")


def expect_rank(value: Value, where: str, *ranks: int) -> None:
    """Raise ModelportError (ConversionFailed) for an input of another rank, which DL4J refuses, too."""
    if value.rank not in ranks:
        known = " or ".join(map(str, ranks))
        raise refused(
            where, f"expected an input of {known} axes, found {value.rank}; give it the preprocessor that it lacks"
        )


def with_channels_first(graph: Graph, value: Value, write: Callable[[str], str], *, last: bool) -> Value:
    """Write something for which channels stand behind the batch, whatever the layout."""
    if not last:
        return Value(write(value.name), value.rank)
    to_first = (0, value.rank - 1, *range(1, value.rank - 1))
    to_last = (0, *range(2, value.rank), 1)
    result = write(graph.transpose(value.name, *to_first))
    return Value(graph.transpose(result, *to_last), value.rank)
