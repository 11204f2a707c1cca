"""Theano's models as its tutorials and Lasagne build them, in small; built in the environment of Theano's image."""

import pickle
import sys
from pathlib import Path

import numpy as np

from modelport_converter.frameworks.mxnet.theano import kernels
from modelport_converter.frameworks.mxnet.theano.library import theano

import theano.tensor as tt  # once Theano is started  # isort: skip
from theano.tensor.signal.pool import pool_2d  # isort: skip

kernels.install()
sys.setrecursionlimit(20_000)  # Theano pickles graphs node by node


class Weights:
    """Draws shared variables."""

    def __init__(self):
        self.random = np.random.default_rng(15)

    def __call__(self, *shape, name=None):
        fan = np.prod(shape[1:]) if len(shape) > 1 else 4
        return theano.shared((self.random.standard_normal(shape) / np.sqrt(fan)).astype(np.float32), name=name)

    def positive(self, *shape):
        return theano.shared(self.random.uniform(0.5, 2, shape).astype(np.float32))


def mlp():
    """Return the perceptron of the Deep Learning tutorials: tanh, softmax."""
    w, x = Weights(), tt.fmatrix("x")
    hidden = tt.tanh(tt.dot(x, w(16, 32, name="W")) + w(32, name="b"))
    return [x], tt.nnet.softmax(tt.dot(hidden, w(32, 5)) + w(5))


def mlp_classes():
    """Return its classes."""
    inputs, y = mlp()
    return inputs, tt.argmax(y, axis=1)


def lenet():
    """Return LeNet of the tutorials: asymmetric filters, which Theano flips, and borders that pooling ignores or not."""
    w, x = Weights(), tt.ftensor4("x")
    first = pool_2d(tt.nnet.conv2d(x, w(4, 1, 5, 3)), (2, 2), ignore_border=True)
    first = tt.tanh(first + w(4).dimshuffle("x", 0, "x", "x"))
    second = pool_2d(tt.nnet.conv2d(first, w(6, 4, 3, 3), border_mode="half"), (2, 2), ignore_border=False)
    hidden = tt.nnet.sigmoid(tt.dot(second.flatten(2), w(6 * 6 * 7, 32)) + w(32))
    return [x], tt.nnet.softmax(tt.dot(hidden, w(32, 10)) + w(10))


def lasagne_cnn():
    """Return what Lasagne's layers make: convolution, batch normalisation, pooling, dropout that is off, dense."""
    w, x = Weights(), tt.ftensor4("input")
    made = tt.nnet.conv2d(
        x, w(8, 3, 3, 3), input_shape=(None, 3, 20, 20), filter_shape=(8, 3, 3, 3), border_mode="half", filter_flip=True
    )
    pattern = ["x", 0, "x", "x"]
    beta, gamma, mean, scale = w(8), w.positive(8), w(8), w.positive(8)
    made = (made - mean.dimshuffle(pattern)) * (gamma * scale).dimshuffle(pattern) + beta.dimshuffle(pattern)
    made = tt.nnet.relu(made)
    made = pool_2d(made, ws=(3, 3), stride=(2, 2), ignore_border=True, pad=(1, 1), mode="average_exc_pad")
    made = tt.nnet.conv2d(made, w(12, 8, 3, 2), subsample=(2, 1), filter_flip=False) + w(12).dimshuffle(pattern)
    made = tt.nnet.elu(made).mean(axis=(2, 3))
    return [x], tt.nnet.softmax(tt.dot(made, w(12, 6)) + w(6))


def rnn():
    """Return a recurrent network by scan, over time in front."""
    w, x = Weights(), tt.ftensor3("x")
    weights = [w(8, 16), w(16, 16), w(16)]
    hidden, _ = theano.scan(
        lambda xt, h, wx, wh, b: tt.tanh(tt.dot(xt, wx) + tt.dot(h, wh) + b),
        sequences=x.dimshuffle(1, 0, 2),
        outputs_info=tt.zeros((x.shape[0], 16)),
        non_sequences=weights,
    )
    return [x], tt.dot(hidden[-1], w(16, 4))


def lstm():
    """Return Lasagne's LSTMLayer in both directions: a mask, peepholes, gates in one product."""
    w, x, mask = Weights(), tt.ftensor3("x"), tt.fmatrix("mask")
    units = 12
    outputs = []
    for backwards in (False, True):
        weights = [w(8, 4 * units), w(units, 4 * units), w(4 * units), w(units), w(units), w(units)]

        def step(xt, mt, cell, hidden, *weights):
            wx, wh, b, pi, pf, po = weights
            gates = tt.dot(xt, wx) + b + tt.dot(hidden, wh)
            i, f, u, o = (gates[:, n * units : (n + 1) * units] for n in range(4))
            new = tt.nnet.sigmoid(f + cell * pf) * cell + tt.nnet.sigmoid(i + cell * pi) * tt.tanh(u)
            out = tt.nnet.sigmoid(o + new * po) * tt.tanh(new)
            return tt.switch(mt, new, cell), tt.switch(mt, out, hidden)

        (_, hidden), _ = theano.scan(
            step,
            sequences=[x.dimshuffle(1, 0, 2), mask.dimshuffle(1, 0, "x")],
            outputs_info=[tt.zeros((x.shape[0], units)), tt.zeros((x.shape[0], units))],
            non_sequences=weights,
            go_backwards=backwards,
        )
        hidden = hidden.dimshuffle(1, 0, 2)
        outputs.append(hidden[:, ::-1] if backwards else hidden)
    both = tt.concatenate(outputs, axis=2)
    flat = tt.dot(both.reshape((-1, 2 * units)), w(2 * units, 3)) + w(3)
    return [x, mask], tt.nnet.softmax(flat).reshape((x.shape[0], x.shape[1], 3))


def words():
    """Return a bag of words and a recurrent network over an embedding."""
    w, x = Weights(), tt.lmatrix("words")
    table, wx, wh = w(30, 6), w(6, 8), w(8, 8)
    rows = table[x.flatten()].reshape((x.shape[0], x.shape[1], 6))
    hidden, _ = theano.scan(
        lambda xt, h: tt.nnet.relu(tt.dot(xt, wx) + tt.dot(h, wh) * 0.3),
        sequences=rows.dimshuffle(1, 0, 2),
        outputs_info=tt.zeros((x.shape[0], 8)),
    )
    return [x], [tt.nnet.softmax(tt.dot(hidden[-1], w(8, 3))), rows.mean(axis=1)]


MODELS = {
    "mlp": mlp, "mlp-classes": mlp_classes, "lenet": lenet, "lasagne-cnn": lasagne_cnn, "rnn": rnn, "lstm": lstm, "words": words,
}  # fmt: skip
ASKED = {
    "mlp": [(5, 16)], "mlp-classes": [(5, 16)], "lenet": [(5, 1, 28, 28)], "lasagne-cnn": [(5, 3, 20, 20)], "rnn": [(5, 19, 8)],
    "lstm": [(5, 19, 8), (5, 19)], "words": [(5, 19)],
}  # fmt: skip
"""Shapes of a question."""


def write(name: str, path: Path, *, protocol: int = 2, form: str = "function"):
    """Pickle a model, and return a question and its answers, by the function before it was pickled."""
    inputs, outputs = MODELS[name]()
    # optimised as users have it, but for the kernels of convolutions, which are there where a compiler is
    mode = theano.Mode("vm", "fast_run").excluding("AbstractConvCheck", "local_conv2d_cpu")
    function = theano.function(inputs, outputs, mode=mode)
    random = np.random.default_rng(3)
    asked = {
        each.name: random.uniform(0, 2, shape).astype(each.dtype)
        for each, shape in zip(inputs, ASKED[name], strict=True)
    }
    content = {"function": function, "graph": outputs, "dict": {"inputs": inputs, "output": outputs, "epoch": 3}}[form]
    path.write_bytes(pickle.dumps(content, protocol))
    answers = function(*asked.values())
    return asked, answers if isinstance(answers, list) else [answers]
