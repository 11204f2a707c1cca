"""MXNet and Theano: each has a package here, which the three modules beside it only lead to."""

PACKAGES = {"mxnet": "symbols", "theano-function": "theano"}
"""By format, the package that reads it."""
