"""The converters of the converter images: one module per framework and pair of formats, loaded where its framework is.

A module has `warm_up()`, which loads what a conversion will need, `OPTIONS`, the type of its options, and
`convert(job, options)`.
"""

import importlib
from types import ModuleType

import msgspec

from modelport.contract import ConvertRequest, ModelportError
from modelport.reasons import Reason
from modelport_converter.converters.job import HopJob

MODULES = (("onnx-to-onnx", "onnx"), ("pytorch-state-dict-to-onnx", "pytorch"))
"""Converters, as `modelport.formats` names them, and their modules here."""


def prepare(request: ConvertRequest, index: int) -> None:
    """Load the framework of hop `index` (from 1) while its step waits: most of a small conversion's time."""
    _module(request.hops[index - 1].converter).warm_up()


def run_converter(job: HopJob) -> None:
    """Convert, and leave the results in `job.out`. Raises ModelportError."""
    module = _module(job.hop.converter)
    try:
        options = msgspec.convert(job.hop.options, module.OPTIONS)
    except msgspec.ValidationError as error:
        raise ModelportError(Reason.INVALID_SPEC, f"options of {job.hop.converter}: {error}") from error
    module.convert(job, options)


def _module(converter: str) -> ModuleType:
    for name, module in MODULES:
        if name == converter:
            return importlib.import_module(f"{__name__}.{module}")
    known = ", ".join(name for name, _ in MODULES)
    message = f"converter {converter}: this image does not have it, only {known}; use images of one version"
    raise ModelportError(Reason.CONVERSION_FAILED, message)
