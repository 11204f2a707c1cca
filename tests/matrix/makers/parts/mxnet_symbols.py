"""MXNet's models: symbols with their parameters, as releases from 0.8 on stored them."""

from collections.abc import Callable

from cells import Cell, question

from converters.mxnet import mxnet_models


def find_maker(name: str, form: str) -> Callable[[Cell], None]:
    """Return what makes a cell."""

    def make(cell: Cell) -> None:
        net = mxnet_models.NETS[name]()
        asked = question(net.inputs, net.dimensions)
        if name in {"lstm", "attention"}:  # words
            asked = {key: abs(array * 4).round() for key, array in asked.items()}
        if name == "ssd":  # without rows whose scores are equal but for rounding, and stand in either order
            asked = {key: array[1:3] for key, array in asked.items()}
        mxnet_models.write(net, form, cell.source(name))
        told = {"inputs": net.inputs, **({"dimensions": net.dimensions} if net.dimensions else {})}
        cell.done(told, asked, mxnet_models.answer(net, asked))

    return make
