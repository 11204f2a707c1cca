"""Tell what a trace bakes in: refuse it, or leave it as caveats and doubts; and what a capture does not keep free."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from modelport.api.reasons import Reason
from modelport.api.status import Signature, Tensor
from modelport.conversion.shapes import need_shapes
from modelport.errors import ModelportError
from modelport.steps.handover import DOUBTS, write_caveats
from modelport.verification.arrays import Tensors
from modelport.verification.calls import run_calls
from modelport.verification.reference import Reference
from modelport_converter.frameworks.pytorch.answering import Asker
from modelport_converter.frameworks.pytorch.exporting.base import Exported
from modelport_converter.frameworks.pytorch.exporting.doubts import find_baked, find_changing, tell_packings
from modelport_converter.frameworks.pytorch.forms.base import Loaded
from modelport_converter.frameworks.pytorch.watching.watch import Place
from modelport_converter.tasks import HopTask

FIXED = re.compile(r"inferred a static shape of (\d+) for dimension (inputs\['\w+'\]\.shape\[\d+\])")
"""What torch.export says of a length that the model's code needs as a number, as loops over it do."""


def tell_fixed(refusal: str, inputs: Sequence[Tensor], example: Tensors) -> ModelportError | None:
    """Return the error (ShapesNeeded) for a capture that fixes a length which is free, with what to state."""
    found = FIXED.search(refusal)
    if found is None:
        return None
    lengths = {
        length: (example[each.name].shape[axis],) * 2
        for each in inputs
        for axis, length in enumerate(each.shape)
        if isinstance(length, str)
    }
    told = f"it fixes {found[2]} at {found[1]}, over which the model loops or decides"
    return need_shapes("torch.export", told, Signature(inputs=list(inputs), outputs=[]), lengths)


@contextmanager
def naming_packings(places: Iterable[Place]) -> Iterator[None]:
    """Have a refusal begin with what to do about packed sequences, if the model has any at these places."""
    try:
        yield
    except ModelportError as refusal:
        raise ModelportError(refusal.reason, "; ".join([*tell_packings(places), refusal.message])) from refusal


def tell_doubts(task: HopTask, loaded: Loaded, reference: Reference, exported: Exported) -> None:
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
    write_caveats(task.out, caveats[:8])
