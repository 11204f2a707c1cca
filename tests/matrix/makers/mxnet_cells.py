"""Models of MXNet and of Theano, which one image has."""

import sys
from collections.abc import Callable
from pathlib import Path

from cells import Cell, make_all
from parts import mxnet_symbols, mxnet_theano


def find_maker(name: str, form: str) -> Callable[[Cell], None]:
    """Return what makes a cell."""
    return (mxnet_theano if form in mxnet_theano.FORMS else mxnet_symbols).find_maker(name, form)


if __name__ == "__main__":
    make_all(find_maker, Path(sys.argv[2]), sys.argv[3:])
