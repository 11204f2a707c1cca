"""PyTorch to ONNX, by PyTorch's exporters."""

import msgspec

from modelport.api.reasons import Reason
from modelport.conversion.onnx_options import OnnxOptions
from modelport.errors import ModelportError
from modelport.frameworks import FORMATS
from modelport.steps.handover import CAVEATS, DOUBTS, read_signature
from modelport.verification.calls import run_calls
from modelport.verification.reference import FILE_NAME, Reference, read_reference
from modelport_converter.frameworks.pytorch.answering import Asker
from modelport_converter.frameworks.pytorch.doubts import find_baked, find_changing, is_check, tell_packings
from modelport_converter.frameworks.pytorch.exporting import (
    Export,
    Exported,
    Flattened,
    export_model,
    pick_example,
    warm_up,
)
from modelport_converter.frameworks.pytorch.forms.base import Loaded
from modelport_converter.frameworks.pytorch.load import open_model
from modelport_converter.onnx_graphs.files import finish_model
from modelport_converter.tasks import MODEL, HopTask

__all__ = ["convert", "warm_up"]
DEFAULT_OPSET = 17


def convert(task: HopTask, options: OnnxOptions) -> None:
    """Export the model that was asked. Raises ModelportError (ConversionFailed)."""
    opened = open_model(task.request, task.model, task.code)
    model, inputs, *_ = opened.loaded
    reference = read_reference(task.asked / FILE_NAME)
    path = task.out / MODEL / "model.onnx"
    path.parent.mkdir()
    export = Export(
        Flattened(model, inputs),
        pick_example(reference, inputs),
        inputs,
        read_signature(task.asked).outputs,
        options.opset or DEFAULT_OPSET,
        path,
        task.code,
        opened.loaded.captured,
        opened.loaded.is_traceable,
    )
    watch = opened.asker.watch
    # a graph has control flow of its own: what looks at values there is no Python
    is_graph = FORMATS[task.request.source_format].holds_graph
    looks = [place for place in watch.looks if not (is_graph or is_check(place.file, place.line))]
    try:
        exported = export_model(
            export, is_other=bool(task.hop.by), is_doubtful=bool(looks), is_asked=options.opset is not None
        )
    except ModelportError as refusal:
        raise ModelportError(refusal.reason, "; ".join([*tell_packings(watch.packings), refusal.message])) from refusal
    _tell_doubts(task, opened.loaded, reference, exported)
    finish_model(path, simplify=options.simplify, precision=options.precision)


def _tell_doubts(task: HopTask, loaded: Loaded, reference: Reference, exported: Exported) -> None:
    """Refuse a trace that bakes in what the samples do not prove, or leave it as caveats where that is allowed.

    What may be baked in besides is left as doubts: the gate says whether it matters.
    """
    places, packings = dict.fromkeys(exported.places), list[str]()
    if exported.is_doubtful:
        asker = Asker(loaded.model, loaded.inputs, task.code)
        for sample in reference.usual:
            run_calls(asker.run, sample.inputs, task.request.states)
        _tell_baked(task, find_baked(asker.watch.looks), exported)
        places = dict.fromkeys([*find_changing(asker.watch.looks), *places])
        packings = tell_packings(asker.watch.packings)
    doubts = packings or [f"what one sample had may be baked in at {', '.join(places)}"] * bool(places)
    (task.out / DOUBTS).write_bytes(msgspec.json.encode(doubts))


def _tell_baked(task: HopTask, baked: list[str], trace: Exported) -> None:
    if baked and task.request.verification.policy == "Enforce":
        refusal = trace.refusal.removeprefix("capture: ").partition(".  ")[0]
        instead = f"; torch.export would not, but refuses: {refusal:.120}" if refusal else ""
        message = (
            f"{', '.join(baked)[:160]} on the samples, and the trace bakes that in{instead}. Give inputs[].values or"
            " verification.data that reach both ways, or write it with tensors, such as torch.where"
        )
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    caveats = [f"{each} on the samples: baked in"[:250] for each in baked]
    caveats += [f"{place} takes a tensor as list or array: its values are baked in" for place in trace.wholes]
    if caveats:
        (task.out / CAVEATS).write_bytes(msgspec.json.encode(caveats[:8]))
