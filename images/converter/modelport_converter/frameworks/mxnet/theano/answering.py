"""Theano answers: node by node as the graph is written, without optimisations, by each operator's own Python."""

from collections.abc import Callable, Sequence

import numpy as np

from modelport.api.reasons import Reason
from modelport.errors import ModelportError, lacks_memory
from modelport.verification.arrays import Tensors
from modelport.verification.calls import Infer
from modelport_converter.frameworks.mxnet.theano import kernels
from modelport_converter.frameworks.mxnet.theano.library import theano
from modelport_converter.frameworks.mxnet.theano.reading.programs import Program
from modelport_converter.tasks import last_line


def make_run(program: Program) -> Infer:
    """Return the function that asks Theano. Raises ModelportError (ConversionFailed) for what it has no Python for."""
    kernels.install()
    try:
        function = _build(program)
    except Exception as error:  # whatever an operator raises
        if lacks_memory(error):
            raise
        message = f"Theano cannot run the graph without a compiler: {last_line(error)}"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error
    names = list(program.outputs)

    def run(tensors: Tensors) -> Tensors:
        arrays = [tensors[name] for name in program.inputs]
        try:
            with np.errstate(all="ignore"):
                answers = function(*arrays)
        except MemoryError:
            raise
        except Exception as error:
            if lacks_memory(error):
                raise
            # Theano adds where each value came from, over many lines
            raise type(error)(str(error).partition("\n")[0]) from error
        kinds = (each.dtype for each in program.outputs.values())
        return {name: np.asarray(each, kind) for name, each, kind in zip(names, answers, kinds, strict=True)}

    return run


def _build(program: Program) -> Callable[..., Sequence[object]]:
    linker = theano.gof.vm.VM_Linker(use_cloop=False, c_thunks=False, lazy=True)
    function: Callable[..., Sequence[object]] = theano.function(
        list(program.inputs.values()),
        [theano.tensor.as_tensor_variable(each) for each in program.outputs.values()],
        mode=theano.Mode(linker=linker, optimizer=None),
        on_unused_input="ignore",
    )
    return function
