"""The frameworks of the converter images: one folder each, found by its name, loaded where its packages are.

A folder has the name that the framework's declaration in `modelport.frameworks` has, and in it

- `inspect.py`: `inspect(folder, paths, format_name)` returns the signature, where the format tells, and runs nothing of the files;
- `ask.py`: `open_source(task)` returns the `Source` that answers for a model of its formats;
- `to_<format>.py` and `from_<format>.py`: `convert(task, options)`, for each converter that it declares.

What a step needs is loaded by importing its module, and by the module's `warm_up()` where there is one, while the step
waits for its files. Steps that share a container may share what they load: ask and the first hop run in one process.
"""

import importlib
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import msgspec

from modelport.api.reasons import Reason
from modelport.api.spec import Role
from modelport.api.status import Signature
from modelport.conversion.base import Converter
from modelport.conversion.detection import detect
from modelport.conversion.shapes import fix_shapes
from modelport.errors import ModelportError
from modelport.frameworks import CONVERTERS, FORMATS, SOURCES, framework_of
from modelport.jobs.requests import ConvertRequest
from modelport.steps.handover import read_signature
from modelport.storage.trees import FolderTree
from modelport_converter.tasks import MODEL, HopTask, SourceTask

if TYPE_CHECKING:
    from modelport.verification.source.model import Source


def is_packed(role: Role, archive: Path, format_name: str | None) -> bool:
    """Whether an archive is to be unpacked: unless it is a model as a whole, of this format or, if none is given, of any."""
    if role != "source":
        return True
    asked = SOURCES.values() if format_name is None else [SOURCES[format_name]] if format_name in SOURCES else []
    return detect(FolderTree(archive.parent, (archive.name,)), asked) is None


def inspect_model(format_name: str, folder: Path, paths: list[str]) -> Signature | None:
    """Return the signature, where the format tells.

    Raises ModelportError (SourceCorrupt, UnsafeSource) for files that are not what the format says, or would run code.
    """
    found: Signature | None = _module(format_name, "inspect").inspect(folder, paths, format_name)
    return found


def prepare_source(format_name: str) -> None:
    """Load what answers for models of a format while step ask waits: most of a small conversion's time."""
    _warm_up(_module(format_name, "ask"))


def prepare_hop(request: ConvertRequest, index: int) -> None:
    """Load the converter of hop `index` (from 1) while its step waits."""
    _warm_up(_converter_module(_converter(request.hops[index - 1].converter)))


def open_source(task: SourceTask) -> "Source":
    """Return the source model, loaded. Raises ModelportError."""
    name = task.request.source_format
    source: Source = _module(name, "ask").open_source(task)
    if not FORMATS[name].holds_graph and source.rebuild is None:
        # a numbers' mistake that source and conversion share: nothing after this step could find it
        message = f"format {name}: expected a source that can be built twice, because its file holds weights alone"
        raise ModelportError(Reason.CONVERTER_CRASHED, message)
    return source._replace(inputs=fix_shapes(source.inputs, task.request.shapes))


def run_converter(task: HopTask) -> None:
    """Convert, and leave the results in `task.out`. Raises ModelportError."""
    converter = _converter(task.hop.converter)
    try:
        options = msgspec.convert(task.hop.options, converter.options)
    except msgspec.ValidationError as error:
        raise ModelportError(Reason.INVALID_SPEC, f"options of {converter.name}: {error}") from error
    _converter_module(converter).convert(task, options)
    if converter.target == "onnx" and task.request.shapes:
        from modelport_converter.onnx_graphs.fixing import fix_model  # whoever writes ONNX has its package

        fix_model(task.out / MODEL, read_signature(task.asked))


def _converter(name: str) -> Converter:
    if name not in CONVERTERS:
        raise _unknown(name)
    return CONVERTERS[name]


def _converter_module(converter: Converter) -> ModuleType:
    source, own = framework_of(converter.source), framework_of(converter.name)
    ends = f"to_{converter.target}" if source == own else f"from_{converter.source}"
    return _module(converter.name, ends.replace("-", "_"))


def _module(name: str, part: str) -> ModuleType:
    """Return a part of the framework that declares a format or converter."""
    try:
        return importlib.import_module(f"{__name__}.{framework_of(name).name}.{part}")
    except KeyError:
        raise _unknown(name) from None


def _warm_up(module: ModuleType) -> None:
    getattr(module, "warm_up", lambda: None)()


def _unknown(name: str) -> ModelportError:
    message = (
        f"{name}: this image does not have it, only {', '.join((*FORMATS, *CONVERTERS))}; use images of one version"
    )
    return ModelportError(Reason.CONVERSION_FAILED, message)
