"""`python run_theano_kinds.py FOLDER` makes pickles of many kinds, opens and converts them, in the environment of Theano's image.

outcomes.json has for each: reason and message of a refusal, or the largest difference between what step ask answers and
what it must be; FOLDER/NAME has model.onnx, given.npz and right.npz.
"""

import copyreg
import json
import pickle
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np

from converters.mxnet import theano_models
from modelport.errors import ModelportError
from modelport_converter.frameworks.mxnet.theano.answering import make_run
from modelport_converter.frameworks.mxnet.theano.library import theano
from modelport_converter.frameworks.mxnet.theano.reading.programs import read_program
from modelport_converter.frameworks.mxnet.theano.writing import write_program

import theano.tensor as tt  # once Theano is started  # isort: skip
from theano.sandbox.rng_mrg import MRG_RandomStreams  # isort: skip

RANDOM = np.random.default_rng(15)
KINDS = {}
X = tt.fmatrix("x")
W = theano.shared(RANDOM.standard_normal((4, 3)).astype(np.float32), name="W")
GIVEN = RANDOM.standard_normal((5, 4)).astype(np.float32)
RIGHT = np.tanh(GIVEN @ W.get_value())
Y = tt.tanh(tt.dot(X, W))


def kind(make):
    """Note what returns an object to pickle, or a pickle, and the answer of its first output, if it must have one."""
    KINDS[make.__name__] = make
    return make


@kind
def keeps_a_state():
    return theano.function([X], Y, updates=[(W, W * 2)]), None


@kind
def draws_numbers():
    return theano.function([X], Y * MRG_RandomStreams(1).uniform(Y.shape)), None


@kind
def draws_without_updates():
    return theano.function([X], Y * MRG_RandomStreams(1).uniform(Y.shape), no_default_updates=True), None


@kind
def a_gradient():
    scan, _ = theano.scan(lambda xt, h: tt.tanh(xt + h), sequences=X, outputs_info=tt.zeros_like(X[0]))
    return theano.function([X], tt.grad(scan.sum(), X)), None


@kind
def complex_numbers():
    return theano.function([X], tt.fft.rfft(X) if hasattr(tt, "fft") else tt.cast(X, "complex64")), None


@kind
def an_operator_of_its_own():
    return theano.function([X], tt.nlinalg.matrix_inverse(tt.dot(X.T, X))), None


@kind
def bits():
    i = tt.lmatrix("i")
    return theano.function([i], tt.bitwise_and(i, 6)), None


@kind
def whole_numbers_convolved():
    i = tt.itensor4("i")
    return theano.function([i], tt.nnet.conv2d(i, theano.shared(np.ones((2, 3, 3, 3), np.int32)))), None


@kind
def whole_numbers_normalised():
    i, one = tt.imatrix("i"), theano.shared(np.ones(3, np.int32))
    return theano.function([i], tt.nnet.bn.batch_normalization_test(i, one, one, one, one)), None


@kind
def several_functions():
    return {"train": theano.function([X], Y), "test": theano.function([X], Y + 1)}, None


@kind
def no_inputs():
    return theano.function([], tt.dot(W, W.T)), None


@kind
def weights_alone():
    return [W.get_value()], None


@kind
def a_dict():
    return {"epoch": 3, "predict": theano.function([X], Y), "params": [W]}, RIGHT


@kind
def a_graph():
    return [Y, Y.sum()], RIGHT


@kind
def named_outputs():
    return theano.function([X], {"scores": Y, "best": tt.argmax(Y, axis=1)}), np.argmax(RIGHT, 1)


@kind
def a_default_value():
    scale = tt.fscalar("scale")
    return theano.function([X, theano.In(scale, value=1.0)], Y * scale), None


@kind
def given_values():
    z = tt.fmatrix("z")
    return theano.function([X], tt.tanh(z), givens={z: tt.dot(X, W)}), RIGHT


@kind
def a_phase_that_is_given():
    phase, random = tt.bscalar("phase"), MRG_RandomStreams(1)
    dropped = tt.switch(phase, Y * random.uniform(Y.shape), Y)  # as Keras 1 writes dropout
    counter = theano.shared(np.int64(0))
    return theano.function([X], dropped, givens={phase: np.int8(0)}, updates=[(counter, counter + 1)]), RIGHT


@kind
def aesara():
    return b"\x80\x02caesara.compile.function.types\n_constructor_Function\n.", None


@kind
def theano_pymc():
    return b"\x80\x02ctheano.compile.function.types\n_constructor_Function\n.", None


@kind
def a_gpu_of_cuda():
    return _on_gpu("theano.sandbox.cuda", "CudaNdarray"), RIGHT


@kind
def a_gpu_of_pygpu():
    return _on_gpu("theano.gpuarray", "GpuArray"), RIGHT


@kind
def a_kernel_of_a_gpu():
    _, host, _ = _fakes("theano.gpuarray", "GpuArray")
    host.__name__ = host.__qualname__ = "GpuOwnKernel"
    sys.modules[host.__module__].GpuOwnKernel = host
    return pickle.dumps(theano.gof.Apply(host(), [Y], [tt.fmatrix()]).outputs[0], 2), None


def _fakes(package, name):
    """Return classes that pickle as those of a GPU do."""
    module = ModuleType(f"{package}.type")
    sys.modules[module.__name__] = module

    class Type(theano.tensor.TensorType):
        pass

    class Host(theano.Op):
        __props__ = ()

    class Array:
        def __init__(self, array):
            self.array = array

    def unpickler(array, *_):
        return array

    for made, called in ((Type, f"{name}Type"), (Host, "HostFromGpu"), (Array, name), (unpickler, f"{name}_unpickler")):
        made.__module__, made.__name__, made.__qualname__ = module.__name__, called, called
        setattr(module, called, made)
    copyreg.pickle(Array, lambda each: (unpickler, (each.array, None)))
    return Type, Host, Array


def _on_gpu(package, name):
    """Return the pickle of a graph whose weights are on a GPU."""
    kind, host, array = _fakes(package, name)
    weights = theano.shared(W.get_value())
    weights.container.storage[0] = array(W.get_value())
    weights.type = kind("float32", (False, False))
    moved = theano.gof.Apply(host(), [weights], [tt.fmatrix()]).outputs[0]
    return pickle.dumps(tt.tanh(tt.dot(X, moved)), 2)


def run(folder, make):
    folder.mkdir()
    content, right = make()
    path = folder / "model.pkl"
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, 2))
    for name in [name for name in sys.modules if name.startswith(("theano.gpuarray", "theano.sandbox.cuda"))]:
        del sys.modules[name]
    program = read_program(SimpleNamespace(trusted=True, checkpoint=None), folder)
    shapes = [
        {name: [f"{name}_{axis}" for axis in range(each.ndim)] for name, each in part.items()} for part in program
    ]
    model, _ = write_program(program, *shapes)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    if right is None:
        return {"reason": "", "message": ""}
    answers = make_run(program)({"x": GIVEN})
    np.savez(folder / "given.npz", x=GIVEN)
    np.savez(folder / "right.npz", **answers)
    first = next(iter(answers.values()))
    return {"reason": "", "message": "", "off": float(np.abs(first.astype(float) - right).max())}


def main(root):
    outcomes = {}
    for name, make in KINDS.items():
        try:
            outcomes[name] = run(root / name, make)
        except ModelportError as error:
            outcomes[name] = {"reason": str(error.reason), "message": error.message}
        except Exception as error:  # noqa: BLE001  # told by name
            outcomes[name] = {"reason": type(error).__name__, "message": str(error)[:500]}
    (root / "outcomes.json").write_text(json.dumps(outcomes))


assert theano_models
main(Path(sys.argv[1]))
