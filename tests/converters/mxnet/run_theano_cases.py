"""`python run_theano_cases.py FOLDER` converts each case by way of its pickle, in the environment of Theano's image.

FOLDER/NAME has model.onnx, the arrays that are asked, and answers: of the operators' own Python (own.npz), with scipy's
convolution, and of what answers in step ask (asked.npz). outcomes.json says what failed.
"""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import scipy.signal

from modelport_converter.frameworks.mxnet.theano.library import theano

from converters.mxnet.theano_cases import CASES  # needs Theano, started  # isort: skip
from modelport_converter.frameworks.mxnet.theano import answering, kernels
from modelport_converter.frameworks.mxnet.theano.reading.programs import named_program
from modelport_converter.frameworks.mxnet.theano.reading.unpickling import read_pickle
from modelport_converter.frameworks.mxnet.theano.writing import write_program

ABSENT = ("pooling", "old convolution")
"""What has no Python of its own that knows this numpy and scipy."""


def convolve(  # noqa: PLR0917  # Theano's own signature
    op, image, kernel, mode="valid", dilation=1, num_groups=1, **_
):
    """Convolve as Theano did by scipy: one image, one filter and one channel after the other."""
    space = op.convdim
    steps = (dilation,) * space if isinstance(dilation, int) else dilation
    wide = np.zeros([*kernel.shape[:2], *((n - 1) * step + 1 for n, step in zip(kernel.shape[2:], steps, strict=True))])
    wide[(..., *(slice(None, None, step) for step in steps))] = kernel
    share, made = len(kernel) // num_groups, []
    for each in image:
        for number, filters in enumerate(wide):
            first = number // share * kernel.shape[1]
            made.append(
                sum(scipy.signal.convolve(each[first + c], one, mode, "direct") for c, one in enumerate(filters))
            )
    return np.reshape(made, (len(image), len(kernel), *made[0].shape)).astype(image.dtype)


def write(folder, name, number):
    inputs, outputs, arrays = CASES[name]
    folder.mkdir()
    function = theano.function(inputs, outputs, mode=theano.Mode("py", None), on_unused_input="ignore")
    (folder / "model.pkl").write_bytes(pickle.dumps(function, protocol=number % 5))
    arrays = [np.asarray(array, each.dtype) for array, each in zip(arrays, inputs, strict=True)]
    program = named_program(read_pickle(folder / "model.pkl"), "model.pkl")
    given = dict(zip(program.inputs, arrays, strict=True))
    np.savez(folder / "given.npz", **given)
    kernels.install()
    asked = answering.make_run(program)(given)
    np.savez(folder / "asked.npz", **asked)
    theano.tensor.nnet.abstract_conv.BaseAbstractConv.conv = convolve
    if not name.startswith(ABSENT):
        answers = function(*arrays)
        np.savez(folder / "own.npz", **dict(zip(program.outputs, answers, strict=True)))
    shapes = [{key: array.shape for key, array in each.items()} for each in (given, asked)]
    free = [{key: [f"{key}_{axis}" for axis in range(len(shape))] for key, shape in each.items()} for each in shapes]
    (folder / "model.onnx").write_bytes(write_program(program, *free).model.SerializeToString())


def main(root):
    outcomes = {}
    for number, name in enumerate(CASES):
        try:
            write(root / name.replace(" ", "-"), name, number)
            outcomes[name] = ""
        except Exception as error:  # noqa: BLE001  # told by name
            outcomes[name] = f"{type(error).__name__}: {error}"[:600]
    (root / "outcomes.json").write_text(json.dumps(outcomes))


sys.setrecursionlimit(10_000)
main(Path(sys.argv[1]))
