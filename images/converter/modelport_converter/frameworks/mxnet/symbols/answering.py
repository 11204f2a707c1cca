"""Ask a model of MXNet: the symbol as it was loaded, bound for each choice of lengths."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import mxnet as mx
import numpy as np

from modelport.verification.arrays import Array, Tensors
from modelport.verification.calls import Infer
from modelport_converter.frameworks.mxnet.symbols.model import Model, computed_type

KEPT = 2
"""How many choices of lengths stay bound: each holds what is between its layers."""


def make_run(model: Model, weights: Mapping[str, Array] | None = None) -> Infer:
    """Return the function that asks the model, with its own weights or others."""
    return _Answering(model, model.weights if weights is None else weights).run


class _Answering:
    def __init__(self, model: Model, weights: Mapping[str, Array]) -> None:
        self._model = model
        with mx.util.np_shape(model.is_numpy):
            self._weights = {name: mx.nd.array(array, dtype=array.dtype) for name, array in weights.items()}
        self._bound: OrderedDict[tuple[tuple[int, ...], ...], Any] = OrderedDict()

    def run(self, tensors: Tensors) -> Tensors:
        model = self._model
        with mx.util.np_shape(model.is_numpy):
            executor = self._executor({each.name: tensors[each.name] for each in model.inputs})
            for each in model.inputs:
                if each.name in executor.arg_dict:
                    executor.arg_dict[each.name][:] = mx.nd.array(tensors[each.name], dtype=computed_type(each))
            found = [each.asnumpy() for each in executor.forward(is_train=False)]
        return dict(zip(model.outputs, found, strict=True))

    def _executor(self, tensors: Tensors) -> Any:
        key = tuple(array.shape for array in tensors.values())
        if key not in self._bound:
            while len(self._bound) >= KEPT:
                self._bound.popitem(last=False)
            self._bound[key] = self._bind(tensors)
        self._bound.move_to_end(key)
        return self._bound[key]

    def _bind(self, tensors: Tensors) -> Any:
        symbol = self._model.symbol
        names, states = symbol.list_arguments(), symbol.list_auxiliary_states()
        shapes = {name: array.shape for name, array in (*self._weights.items(), *tensors.items())}
        inferred, _, _ = symbol.infer_shape(**{name: shape for name, shape in shapes.items() if name in names})
        types = {each.name: computed_type(each) for each in self._model.inputs}
        arguments = {
            name: self._weights[name]
            if name in self._weights
            else mx.nd.zeros(shape, dtype=types.get(name, np.float32))
            for name, shape in zip(names, inferred, strict=True)
        }
        kept = {name: self._weights[name] for name in states}
        return symbol.bind(mx.cpu(), arguments, grad_req="null", aux_states=kept)
