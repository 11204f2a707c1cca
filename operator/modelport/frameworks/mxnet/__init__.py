"""MXNet and Theano: two frameworks of one time, which one old NumPy holds in one image."""

from modelport.conversion.base import Converter, Framework, Options
from modelport.frameworks.mxnet.symbols import FORMATS as SYMBOLS
from modelport.frameworks.mxnet.theano import FORMATS as THEANO

FORMATS = (*SYMBOLS, *THEANO)

FRAMEWORK = Framework(
    "mxnet",
    "MXNet, Theano",
    formats=FORMATS,
    converters=tuple(Converter(each.name, "onnx", Options, cost=10) for each in FORMATS),
    packages=("libgomp1", "libquadmath0"),  # libmxnet.so and the Fortran library that it brings are linked with them
)
