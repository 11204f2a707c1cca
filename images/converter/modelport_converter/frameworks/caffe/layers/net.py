"""A net in typed form: layers in order, the values between them, and what goes in and comes out."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array
from modelport_converter.frameworks.caffe.layers import convolving, detecting, elementwise, shaping
from modelport_converter.frameworks.caffe.layers.base import MAX_COUNT, Given, NeedsLengthError, Parser, Shape
from modelport_converter.frameworks.caffe.reading.architecture import Architecture, Layer

PARSERS: dict[str, Parser] = {
    **convolving.PARSERS,
    **elementwise.PARSERS,
    **shaping.PARSERS,
    **detecting.PARSERS,
}
MAX_NAME = 128
"""What a status has room for."""
SILENCE = "Silence"
"""Takes values that nobody wants to see."""


REGIONS = "takes regions found on the way; convert the part before it and the part behind it each as a net of its own"
NOT_CONVERTED = {
    "Python": "runs code that neither file holds",
    "ROIPooling": REGIONS,
    "PSROIPooling": REGIONS,
    "Proposal": "finds any number of regions; end the net before it, and find them in the client",
    "LSTM": "goes on from the answer before, as no converted model does",
    "RNN": "goes on from the answer before, as no converted model does",
    "Recurrent": "goes on from the answer before, as no converted model does",
}
"""What is refused for a reason of its own."""


class Step(NamedTuple):
    """A layer that computes values of others."""

    layer: Layer
    operator: Any
    bottoms: tuple[str, ...]
    """Names of values: a blob that layers change in place has one for each change."""
    tops: tuple[str, ...]
    shapes: tuple[Shape, ...]
    """Of the bottoms."""
    top_shapes: tuple[Shape, ...]


class Net(NamedTuple):
    """A net, whose inputs are float32."""

    inputs: dict[str, Shape]
    steps: tuple[Step, ...]
    outputs: dict[str, Shape]
    """Values that no layer takes; if there are none, those that Silence takes."""
    unused: tuple[str, ...]
    """Layers that have weights in the file, and no place in the net."""
    ended: tuple[str, ...] = ()
    """Layers that compare answers with labels, and were left out."""


def build_net(
    architecture: Architecture, weights: Mapping[str, Sequence[Array]], inputs: Mapping[str, Sequence[Shape]]
) -> Net:
    """Return the net, with the first of the ways to fix its inputs' shapes that its layers can be computed with.

    Raises ModelportError: ConversionFailed for what cannot be converted, WeightsMismatch, SourceCorrupt.
    """
    ways = max(map(len, inputs.values()))
    for way in range(ways):
        try:
            return _build(architecture, weights, {name: shapes[way] for name, shapes in inputs.items()})
        except NeedsLengthError as error:
            last = error
    message = f"expected lengths of the inputs as numbers, found {last}, which a layer counts with"
    raise ModelportError(Reason.INPUTS_NEEDED, message)


def _build(architecture: Architecture, weights: Mapping[str, Sequence[Array]], inputs: dict[str, Shape]) -> Net:
    shapes: dict[str, Shape] = dict(inputs)
    current = {name: name for name in inputs}
    names, unread, silenced, steps = _Names(architecture), dict[str, None](), dict[str, None](), list[Step]()
    _check_names(architecture.layers, weights)
    for layer in architecture.layers:
        for bottom in layer.bottoms:
            if bottom not in current:
                raise _corrupt(layer, f"bottom {bottom:.60} from a layer before", "none")
            unread.pop(current[bottom], None)
        bottoms = tuple(current[each] for each in layer.bottoms)
        if layer.type == SILENCE:
            silenced |= dict.fromkeys(bottoms)
            continue
        given = Given(layer, tuple(shapes[each] for each in bottoms), weights.get(layer.name, ()))
        parsed = _parse(given)
        tops = []
        for number, (top, shape) in enumerate(zip(layer.tops, parsed.shapes, strict=True)):
            if top in current and layer.bottoms[number : number + 1] != (top,):
                raise _corrupt(layer, f"top {top:.60} of one layer", "several that make it")
            current[top] = names.take(top, layer.name)
            _check(layer, current[top], shape)
            shapes[current[top]], unread[current[top]] = shape, None
            tops.append(current[top])
        steps.append(Step(layer, parsed.operator, bottoms, tuple(tops), given.shapes, parsed.shapes))
    placed = {*architecture.ended, *(layer.name for layer in architecture.layers)}
    unused = tuple(name for name in weights if name not in placed)
    made = {top for step in steps for top in step.tops}
    answers = list(unread) or [each for each in silenced if each in made]
    if not answers:
        raise ModelportError(Reason.SOURCE_CORRUPT, "the prototxt: expected a blob that no layer takes, found none")
    outputs = {name: shapes[name] for name in answers}
    return Net(inputs, tuple(steps), outputs, unused, architecture.ended)


def _check_names(layers: Sequence[Layer], weights: Mapping[str, Sequence[Array]]) -> None:
    """Check that weights have one layer to go to: Caffe gives them to the first, and the next keep what they began with."""
    seen = set[str]()
    for layer in layers:
        if layer.name in seen and layer.name in weights and _has_weights(layer.type):
            raise _corrupt(layer, "one layer of its name for the weights", "several")
        seen.add(layer.name)


def _parse(given: Given) -> Any:
    parser = PARSERS.get(given.layer.type)
    if parser is None:
        why = NOT_CONVERTED.get(given.layer.type, "")
        found = f"{given.layer.type:.40}{why and ', which '}{why}"
        raise given.refuse("type", "one that is converted (docs/caffe.md)", found)
    if given.layer.unknown:
        raise given.refuse(
            given.layer.unknown[0][:80],
            "what BVLC's, SSD's or OpenCV's Caffe have",
            "another dialect's; leave it out if it changes no answer",
        )
    if not given.shapes:
        raise given.refuse("bottom", "at least one", 0)
    if given.layer.type != "Split" and len(given.layer.tops) == 0:
        raise given.refuse("top", "at least one", 0)
    parsed = parser(given)
    if len(parsed.shapes) != len(given.layer.tops):
        raise given.refuse("top", str(len(parsed.shapes)), len(given.layer.tops))
    if given.blobs and not _has_weights(given.layer.type):
        given.take()
    return parsed


def _has_weights(kind: str) -> bool:
    return kind in {
        "Convolution", "ConvolutionDepthwise", "DepthwiseConvolution", "Deconvolution", "InnerProduct", "PReLU",
        "BatchNorm", "BN", "Scale", "Bias", "Normalize", "Embed",
    }  # fmt: skip


def _check(layer: Layer, name: str, shape: Shape) -> None:
    known = [each for each in shape if not isinstance(each, str)]
    if math.prod(known) > MAX_COUNT or min(known, default=1) < 1:
        message = f"layer {layer.name:.60} ({layer.type:.40}): expected a blob of 1 to {MAX_COUNT} numbers, found {list(shape)!s:.100}"
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    if not 1 <= len(name) <= MAX_NAME:
        message = f"layer {layer.name:.60}: expected a top of 1 to {MAX_NAME} characters, found {len(name)}; rename it"
        raise ModelportError(Reason.CONVERSION_FAILED, message)


class _Names:
    """Names of values: the last change of a blob has the blob's own, so that outputs are called as users know them."""

    def __init__(self, architecture: Architecture) -> None:
        self._left: dict[str, int] = {}
        for layer in architecture.layers:
            for top in layer.tops:
                self._left[top] = self._left.get(top, 0) + 1
        self._taken = {*architecture.inputs, *self._left}
        self._inputs = set(architecture.inputs)

    def take(self, blob: str, layer: str) -> str:
        self._left[blob] -= 1
        if not self._left[blob] and blob not in self._inputs:
            return blob
        name, number = f"{blob}/{layer}"[:MAX_NAME], 2
        while name in self._taken:
            name, number = f"{blob}/{layer}"[: MAX_NAME - 8] + f"_{number}", number + 1
        self._taken.add(name)
        return name


def _corrupt(layer: Layer, expected: str, found: str) -> ModelportError:
    message = f"layer {layer.name:.60} ({layer.type:.40}): expected {expected}, found {found}"
    return ModelportError(Reason.SOURCE_CORRUPT, message)
