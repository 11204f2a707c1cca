"""Lasagne's layers, pickled as objects: Lasagne itself, which comes with the source's code, builds their graph."""

import importlib
from collections.abc import Sequence
from typing import Any

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport_converter.frameworks.mxnet.theano.reading.foreign import Foreign, name_of
from modelport_converter.tasks import last_line

PACKAGE = "lasagne.layers."


def is_layer(thing: Any) -> bool:
    """Whether an object is one of Lasagne's layers, or derived from one, or stands for one."""
    return any(f"{kind.__module__}.".startswith(PACKAGE) for kind in type(thing).__mro__)


def outputs_of(given: Sequence[Any]) -> list[Any]:
    """Return the outputs of the last layers, without dropout. Raises ModelportError (FactoryFailed)."""
    last = _last(given)
    absent = next((each for each in last if isinstance(each, Foreign)), None)
    if absent is not None:
        message = (
            f"{name_of(absent)}: Lasagne is not there: {_why_absent(absent)}; give the package as source.code, or pickle "
            "theano.function([input_var], lasagne.layers.get_output(layer, deterministic=True))"
        )
        raise ModelportError(Reason.FACTORY_FAILED, message)
    try:
        layers = importlib.import_module("lasagne.layers")  # comes with the source's code
        return list(layers.get_output(last, deterministic=True))
    except Exception as error:  # whatever its code raises
        message = f"lasagne.layers.get_output: {last_line(error)}"
        raise ModelportError(Reason.FACTORY_FAILED, message) from error


def _why_absent(layer: Foreign) -> str:
    try:
        importlib.import_module(type(layer).__module__)
    except Exception as error:  # noqa: BLE001  # whatever its code raises is the answer
        return f"{last_line(error):.150}"
    return f"it has no {type(layer).__name__}"


def _last(layers: Sequence[Any]) -> list[Any]:
    """Return the layers that no other one reads."""
    read = set[int]()
    for each in layers:
        read |= {id(one) for one in (getattr(each, "input_layer", None), *(getattr(each, "input_layers", None) or ()))}
    return [each for each in layers if id(each) not in read]
