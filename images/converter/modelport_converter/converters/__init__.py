"""The converters of the converter images: one module per framework and pair of formats, loaded where its framework is.

A module has `warm_up()`, which loads what its steps will need, and one of or both:

- `open_source(job)`, which returns the `Source` of a model of its format, for step ask;
- `OPTIONS`, the type of its options, and `convert(job, options)`, for a hop.

Both may share what they load: ask and the first hop of one image run in one process.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

import msgspec

from modelport.contract import ConvertRequest, ModelportError
from modelport.formats import FORMATS
from modelport.reasons import Reason
from modelport_converter.converters.job import HopJob, SourceJob

if TYPE_CHECKING:
    from modelport.verification.source import Source

MODULES = {"onnx-to-onnx": "onnx", "pytorch-state-dict-to-onnx": "pytorch"}
"""Converters, as `modelport.formats` names them, and their modules here."""
SOURCES = {"onnx": "onnx", "pytorch-state-dict": "pytorch"}
"""Formats, and the modules here that answer for their models."""


def prepare(request: ConvertRequest, index: int) -> None:
    """Load the framework of hop `index` (from 1) while its step waits: most of a small conversion's time."""
    _module(MODULES, request.hops[index - 1].converter).warm_up()


def prepare_source(format_name: str) -> None:
    """Load the framework that answers for models of a format."""
    _module(SOURCES, format_name).warm_up()


def open_source(job: SourceJob) -> "Source":
    """Return the source model, loaded. Raises ModelportError."""
    name = job.request.source_format
    source: Source = _module(SOURCES, name).open_source(job)
    if not FORMATS[name].holds_graph and source.rebuild is None:
        # a numbers' mistake that source and conversion share: nothing after this step could find it
        message = f"format {name}: expected a source that can be built twice, because its file holds weights alone"
        raise ModelportError(Reason.STEP_CRASHED, message)
    return source


def run_converter(job: HopJob) -> None:
    """Convert, and leave the results in `job.out`. Raises ModelportError."""
    module = _module(MODULES, job.hop.converter)
    try:
        options = msgspec.convert(job.hop.options, module.OPTIONS)
    except msgspec.ValidationError as error:
        raise ModelportError(Reason.INVALID_SPEC, f"options of {job.hop.converter}: {error}") from error
    module.convert(job, options)


def _module(table: dict[str, str], name: str) -> ModuleType:
    if name in table:
        return importlib.import_module(f"{__name__}.{table[name]}")
    message = f"{name}: this image does not have it, only {', '.join(table)}; use images of one version"
    raise ModelportError(Reason.CONVERSION_FAILED, message)
