"""Theano itself, started so that it compiles nothing: importing this module is what makes `import theano` work.

Theano 1.0.5 knows numpy up to 1.19 and wants a compiler. What newer versions of numpy lack is given back, and without a
compiler (`cxx=`) each operator answers by its own implementation in Python. Its modules for GPUs name pkg_resources of
setuptools, which is not here and not needed, as Lasagne does for its own version.
"""

import logging
import os
import sys
import tempfile
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import numpy.distutils.__config__ as blas_config

FLAGS = {"cxx": "", "blas.ldflags": "", "device": "cpu", "floatX": "float32", "mode": "FAST_COMPILE"}
_ALIASES = {"bool": bool, "object": object, "int": int, "float": float, "complex": complex, "str": str}


def _start() -> None:
    for module in ("theano.tensor.blas", "theano.configdefaults"):
        logging.getLogger(module).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"theano\.")
    absent = ModuleType("pkg_resources")
    vars(absent).update(DistributionNotFound=ImportError, get_distribution=lambda _: SimpleNamespace(version=""))
    sys.modules.setdefault("pkg_resources", absent)
    if not hasattr(blas_config, "blas_opt_info"):
        blas_config.blas_opt_info = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, kind in _ALIASES.items():
            if name not in vars(np):
                setattr(np, name, kind)
    flags = {**FLAGS, "base_compiledir": Path(tempfile.gettempdir()) / "theano"}
    os.environ["THEANO_FLAGS"] = ",".join(f"{name}={value}" for name, value in flags.items())
    os.environ.pop("THEANORC", None)


_start()

import theano  # noqa: E402  # after what it needs
import theano.tensor  # noqa: E402
import theano.tensor.nnet  # noqa: E402
import theano.tensor.signal.pool  # noqa: E402


def _max_pool(value: Any, ds: Any, ignore_border: Any = False, st: Any = None, **options: Any) -> Any:
    pool = theano.tensor.signal.pool.pool_2d
    pad, mode = options.get("padding", (0, 0)), options.get("mode", "max")
    return pool(value, ds, ignore_border=ignore_border, stride=st, pad=pad, mode=mode)


def _restore_downsample() -> None:
    """Give back the module that Theano 1.0 has no more, and Lasagne 0.1 imports."""
    module = ModuleType("theano.tensor.signal.downsample")
    vars(module).update(max_pool_2d=_max_pool, DownsampleFactorMax=theano.tensor.signal.pool.Pool)
    sys.modules.setdefault(module.__name__, module)
    theano.tensor.signal.downsample = module


_restore_downsample()

__all__ = ["theano"]
