"""Theano's models, pickled: functions, graphs, and dicts with a graph."""

from collections.abc import Callable

from cells import Cell

from converters.mxnet import theano_models

FORMS = {"theano": (2, "function"), "theano-text": (0, "function"), "theano-4": (4, "function"), "theano-graph": (2, "graph"), "theano-dict": (2, "dict")}  # fmt: skip
"""Protocol, and what is pickled."""


def find_maker(name: str, form: str) -> Callable[[Cell], None]:
    """Return what makes a cell."""
    protocol, content = FORMS[form]

    def make(cell: Cell) -> None:
        path = cell.source(f"{name}.pkl")
        asked, answers = theano_models.write(name, path, protocol=protocol, form=content)
        cell.done({"trust": "Trusted"}, asked, answers)

    return make
