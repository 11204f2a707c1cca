"""PyTorch weights with a factory: built and loaded strictly, asked in eager mode; to ONNX by PyTorch's exporters."""

import functools
import inspect
import shutil
from pathlib import Path
from typing import NamedTuple

import msgspec
import torch

from modelport.contract import ConvertRequest, ModelportError
from modelport.formats.onnx import OnnxOptions
from modelport.handover import CAVEATS, DOUBTS, SPARE, read_signature
from modelport.reasons import Reason
from modelport.steps import say
from modelport.verification.calls import Infer, run_calls
from modelport.verification.reference import FILE_NAME, Reference, read_reference
from modelport.verification.source import Source
from modelport_converter.converters.job import MODEL, HopJob, SourceJob, the_one_file
from modelport_converter.converters.onnx_files import finish_model
from modelport_converter.converters.torch_asking import Asker, probe, widen
from modelport_converter.converters.torch_doubts import find_baked, find_changing, is_check, tell_packings
from modelport_converter.converters.torch_exporting import (
    LAST_TRACED_OPSET,
    Export,
    Exported,
    Flattened,
    export_model,
    pick_example,
    warm_up,
)
from modelport_converter.converters.torch_loading import build_model, fresh_imports, load_weights
from modelport_converter.converters.torch_state import find_differences, move_parameters
from modelport_converter.converters.torch_weights import read_weights
from modelport_converter.converters.torchvision_shim import install

OPTIONS = OnnxOptions
DEFAULT_OPSET = 17
WEIGHTS = (".pt", ".pth", ".bin", ".ckpt")
SMALL_BYTES = 4 << 20
SPEAKER = "torch"
__all__ = ["OPTIONS", "convert", "open_source", "warm_up"]


class _Opened(NamedTuple):
    model: torch.nn.Module
    asker: Asker
    """Has asked once, to see what the model does with its inputs."""


_opened: dict[Path, _Opened] = {}
"""By the folder of the weights: ask and the first hop run one after the other in one process."""


def open_source(job: SourceJob) -> Source:
    """Build the model and load its weights. Raises ModelportError."""
    request = job.request
    opened = _open(request, job.model, job.code)
    asker, unstored = opened.asker, list[str]()
    precision = asker.find_precision()

    @functools.cache
    def build_other() -> torch.nn.Module:
        with fresh_imports(job.code):
            return _load(request, job.model, job.code, seed=1)

    def rebuild() -> Infer:
        other = build_other()
        unstored[:] = find_differences(opened.model, other)
        return Asker(other, request.inputs, job.code).run_unwatched

    def move_weights() -> Infer:
        other = build_other()
        move_parameters(other)
        return Asker(other, request.inputs, job.code).run_unwatched

    return Source(
        request.inputs,
        asker.run,
        asker.find_random_operations,
        run_unwatched=asker.run_unwatched,
        hints=dict(asker.watch.hints),
        precision=precision,
        rebuild=rebuild,
        move_weights=move_weights,
        run_wide=widen(opened.model, request.inputs, job.code) if precision == "float32" else None,
        find_unstored=lambda: unstored,
    )


def convert(job: HopJob, options: OnnxOptions) -> None:
    """Export the model that was asked. Raises ModelportError (ConversionFailed)."""
    opened = _open(job.request, job.model, job.code)
    reference, inputs = read_reference(job.asked / FILE_NAME), job.request.inputs
    path = job.out / MODEL / "model.onnx"
    path.parent.mkdir()
    export = Export(
        Flattened(opened.model, inputs),
        pick_example(reference, inputs),
        inputs,
        read_signature(job.asked).outputs,
        options.opset or DEFAULT_OPSET,
        path,
        job.code,
    )
    watch = opened.asker.watch
    looks = [place for place in watch.looks if not is_check(place.file, place.line)]
    try:
        exported = export_model(export, is_doubtful=bool(looks), is_asked=options.opset is not None)
    except ModelportError as refusal:
        raise ModelportError(refusal.reason, "; ".join([*tell_packings(watch.packings), refusal.message])) from refusal
    _tell_doubts(job, opened.model, reference, exported)
    finish_model(path, simplify=options.simplify, precision=options.precision)
    spare = job.out / SPARE
    if spare.exists():
        try:
            finish_model(spare / path.name, simplify=options.simplify, precision=options.precision)
        except ModelportError as refusal:
            say(SPEAKER, f"the trace is left out: {refusal.message}")
            shutil.rmtree(spare)


def _open(request: ConvertRequest, model: Path, code: Path) -> _Opened:
    if model not in _opened:
        loaded = _load(request, model, code, seed=0)
        _limit_threads(loaded)
        _check_arguments(loaded, request)
        _opened[model] = _Opened(loaded, probe(loaded, request.inputs, request.dimensions, code))
    return _opened[model]


def _load(request: ConvertRequest, folder: Path, code: Path, seed: int) -> torch.nn.Module:
    if request.code is None or not request.inputs:
        raise ModelportError(Reason.INPUTS_NEEDED, "expected spec.source.code and spec.source.inputs, found none")
    if install():
        say(SPEAKER, "torchvision's extension does not load beside this torch; its operators are declared here")
    model = build_model(request.code, code, seed)
    load_weights(model, read_weights(the_one_file(folder, WEIGHTS), request.checkpoint))
    return model


def _limit_threads(model: torch.nn.Module) -> None:
    # threads of a small model wait for one another, spinning, longer than they work; where other containers want the
    # same cores, PNet took seven times as long with two threads as with one
    if sum(parameter.nbytes for parameter in model.parameters()) < SMALL_BYTES:
        torch.set_num_threads(1)


def _check_arguments(model: torch.nn.Module, request: ConvertRequest) -> None:
    strings = [each.name for each in request.inputs if each.dtype == "string"]
    if strings:
        message = f"input {', '.join(strings)[:200]}: expected numbers, which PyTorch's tensors hold; found strings"
        raise ModelportError(Reason.INVALID_SPEC, message)
    try:
        inspect.signature(model.forward).bind(*request.inputs)
    except TypeError as error:
        message = f"{type(model).__name__}.forward does not take the {len(request.inputs)} inputs of spec.source.inputs: {error}"
        raise ModelportError(Reason.INPUTS_NEEDED, message) from error
    except ValueError:
        return  # a forward without a readable signature: the first question tells


def _tell_doubts(job: HopJob, model: torch.nn.Module, reference: Reference, exported: Exported) -> None:
    """Refuse a trace that bakes in what the samples do not prove, or leave it as caveats where that is allowed.

    What may be baked in besides is left as doubts: the gate says whether it matters. A spare trace has no such excuse.
    """
    places, packings, spare = dict.fromkeys(exported.places), list[str](), job.out / SPARE
    if exported.refusal or spare.exists():
        asker = Asker(model, job.request.inputs, job.code)
        for sample in reference.usual:
            run_calls(asker.run, sample.inputs, job.request.states)
        baked = find_baked(asker.watch.looks)
        if not exported.refusal and (baked or exported.wholes):
            shutil.rmtree(spare)
        elif exported.refusal:
            _tell_baked(job, baked, exported)
            places = dict.fromkeys([*find_changing(asker.watch.looks), *places])
            packings = tell_packings(asker.watch.packings)
    if not exported.refusal and not exported.is_captured:
        doubts = [f"PyTorch's other exporter may do better: options.opset: {LAST_TRACED_OPSET + 1}"]
    else:
        doubts = packings or [f"what one sample had may be baked in at {', '.join(places)}"] * bool(places)
    (job.out / DOUBTS).write_bytes(msgspec.json.encode(doubts))


def _tell_baked(job: HopJob, baked: list[str], trace: Exported) -> None:
    if baked and job.request.verification.policy == "Enforce":
        refusal = trace.refusal.removeprefix("capture: ").partition(".  ")[0]
        message = (
            f"{', '.join(baked)[:160]} on the samples, and the trace bakes that in; torch.export would not, but refuses:"
            f" {refusal:.120}. Give inputs[].values or verification.data that reach both ways, or write it with tensors,"
            " such as torch.where"
        )
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    caveats = [f"{each} on the samples: baked in"[:250] for each in baked]
    caveats += [f"{place} takes a tensor as list or array: its values are baked in" for place in trace.wholes]
    if caveats:
        (job.out / CAVEATS).write_bytes(msgspec.json.encode(caveats[:8]))
