"""Theano's pickles, without Theano's constructors: a function stays the graph and the values that it was made of.

Pickles of protocols 0 to 4, of Python 2 and 3, and of Theano 0.7 to 1.0. Opening one runs what it says, so only a trusted
one is opened. Theano would optimise and compile while it unpickles; here FunctionMaker and Function are records.
"""

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from modelport.api.reasons import Reason
from modelport.errors import ModelportError, lacks_memory
from modelport.frameworks.mxnet.theano import SUCCESSORS
from modelport_converter.frameworks.mxnet.theano.library import theano
from modelport_converter.frameworks.mxnet.theano.reading.foreign import stand_in
from modelport_converter.tasks import last_line

MAKERS = "theano.compile.function_module"
MOVED = {
    ("theano.tensor.signal.downsample", "DownsampleFactorMax"): ("theano.tensor.signal.pool", "Pool"),
    ("theano.tensor.signal.downsample", "Pool"): ("theano.tensor.signal.pool", "Pool"),
}
"""Where Theano 1.0 has what older versions had elsewhere; `modernising` gives them what they lack."""
OPTIMISED = {("theano.gof.fg", "FunctionGraph")}
"""What was made of the graph for one machine; it may hold anything, and is not read."""
GPU = ("theano.sandbox.cuda", "theano.sandbox.gpuarray", "theano.gpuarray", "pygpu")
ARRAYS_OF_GPU = {"CudaNdarray_unpickler", "GpuArray_unpickler"}
"""What makes an array on a GPU of the array in the pickle."""


class Maker(SimpleNamespace):
    """What a FunctionMaker was made of: `inputs` and `outputs` before anything was optimised, in Theano's own words."""


class Function(NamedTuple):
    """A pickled theano.function."""

    maker: Maker
    values: list[Any]
    """Of all its inputs, in order, those of shared variables among them."""


def read_pickle(path: Path) -> Any:
    """Return the content of a trusted file. Raises ModelportError (SourceCorrupt, FactoryFailed, ConversionFailed)."""
    try:
        with path.open("rb") as file:
            return _Unpickler(file, encoding="latin1").load()
    except ModelportError:
        raise
    except Exception as error:  # whatever its code raises
        if lacks_memory(error):
            raise
        message = f"{path.name}: expected a pickle of Theano 0.7 to 1.0, found: {last_line(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module.startswith(SUCCESSORS):
            raise ModelportError(Reason.CONVERSION_FAILED, tell_successor(module))
        if module == MAKERS and name in _RECORDS:
            return _RECORDS[name]
        if (module, name) in OPTIMISED:
            return stand_in(module, name)
        if module.startswith(GPU):
            return _array if name in ARRAYS_OF_GPU else stand_in(module, name)
        module, name = MOVED.get((module, name), (module, name))
        try:
            return super().find_class(module, name)
        except (ImportError, AttributeError):
            return stand_in(module, name)


def tell_successor(module: str) -> str:
    """Return why a pickle of what came after Theano is refused."""
    return (
        f"{module}: expected a pickle of Theano 0.7 to 1.0, found one of a successor (Theano-PyMC, Aesara, PyTensor), "
        "whose classes are others; build the model with Theano 1.0, load its weights, and pickle that theano.function"
    )


def _array(content: Any, *_: object) -> Any:
    return np.asarray(content)


def _make_maker(fields: dict[str, Any]) -> Maker:
    return Maker(**fields)


def _make_function(maker: Maker, storage: list[Any], values: list[Any], *_: object) -> Function:
    del storage  # defaults of the same inputs
    return Function(maker, values)


_RECORDS = {"_constructor_FunctionMaker": _make_maker, "_constructor_Function": _make_function}


_Scan = theano.scan_module.scan_op.Scan
_set_state = _Scan.__setstate__
COMPILED = {"fn", "thunk_mit_mot_out_slices", "mitmots_preallocated", "inps_is_tensor", "outs_is_tensor"}


def _set_state_of_scan(op: Any, state: dict[str, Any]) -> None:
    """Take the state of a loop without the function that was compiled of it."""
    _set_state(op, {name: each for name, each in state.items() if name not in COMPILED})


_Scan.__setstate__ = _set_state_of_scan
_Scan.validate_inner_graph = lambda _: None  # which looks for types of GPUs
