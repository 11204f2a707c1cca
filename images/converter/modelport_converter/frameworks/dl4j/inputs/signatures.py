"""Shapes and types of inputs: from the first layers that read them, unless the user declares them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from modelport.api.base import Dtype
from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.errors import ModelportError
from modelport.verification.hints import Hint
from modelport_converter.frameworks.dl4j.inputs.lengths import find_range, spatial_axes
from modelport_converter.frameworks.dl4j.reading.networks import Layer, Network, Preprocessor, Vertex, read_preprocessor

BATCH = "batch"
SPATIAL = {3: ("time",), 4: ("height", "width"), 5: ("depth", "height", "width")}
RANKS = {
    **dict.fromkeys(
        ("AutoEncoder", "CenterLossOutputLayer", "DenseLayer", "ElementWiseMultiplicationLayer", "OutputLayer"), 2
    ),
    **dict.fromkeys(("EmbeddingLayer", "EmbeddingSequenceLayer", "RepeatVector"), 2),
    **dict.fromkeys(
        (
            "Bidirectional",
            "GravesBidirectionalLSTM",
            "GravesLSTM",
            "LSTM",
            "LastTimeStep",
            "SimpleRnn",
            "MaskZeroLayer",
        ),
        3,
    ),
    **dict.fromkeys(("Convolution1DLayer", "Cropping1D", "RnnLossLayer", "RnnOutputLayer", "Subsampling1DLayer"), 3),
    **dict.fromkeys(("TimeDistributed", "Upsampling1D", "ZeroPadding1DLayer"), 3),
    **dict.fromkeys(("CnnLossLayer", "ConvolutionLayer", "Cropping2D", "Deconvolution2D", "DepthwiseConvolution2D"), 4),
    **dict.fromkeys(
        ("LocalResponseNormalization", "SeparableConvolution2D", "SpaceToDepthLayer", "SubsamplingLayer"), 4
    ),
    **dict.fromkeys(("Upsampling2D", "ZeroPaddingLayer"), 4),
    **dict.fromkeys(("Cnn3DLossLayer", "Convolution3D", "Cropping3D", "Deconvolution3D", "Subsampling3DLayer"), 5),
    **dict.fromkeys(("Upsampling3D", "ZeroPadding3DLayer"), 5),
}
"""Axes of a layer's input, without a preprocessor."""
TABLES = {"EmbeddingLayer", "EmbeddingSequenceLayer"}
WRAPPERS = {"FrozenLayer", "FrozenLayerWithBackprop", "LastTimeStep", "MaskZeroLayer", "TimeDistributed"}
KEEPING = {
    "ActivationLayer", "BatchNormalization", "CnnLossLayer", "Cropping1D", "Cropping2D", "Cropping3D", "DropoutLayer",
    "LocalResponseNormalization", "LossLayer", "MaskLayer", "RnnLossLayer", "Subsampling1DLayer", "Subsampling3DLayer",
    "SubsamplingLayer", "Upsampling1D", "Upsampling2D", "Upsampling3D", "ZeroPadding1DLayer", "ZeroPadding3DLayer",
    "ZeroPaddingLayer",
}  # fmt: skip
"""Layers whose output has the channels of their input."""
KEEPING_VERTICES = {
    "ElementWiseVertex",
    "L2NormalizeVertex",
    "ReverseTimeSeriesVertex",
    "ScaleVertex",
    "ShiftVertex",
    "StackVertex",
}


class _Need(NamedTuple):
    """What is known of an input."""

    rank: int = 0
    channels: int = 0
    shape: tuple[int | str, ...] = ()
    """Behind the batch, where a preprocessor or a layer tells it whole."""


def describe_inputs(network: Network, dtype: str, declared: Sequence[Input]) -> list[Input]:
    """Return the inputs of a network. Raises ModelportError (InputsNeeded, InvalidSpec)."""
    own = {each.name: each for each in declared}
    unknown = sorted(own.keys() - set(network.inputs))
    if unknown:
        known = ", ".join(network.inputs)
        message = f"spec.source.inputs: expected inputs of the model ({known:.200}), found {', '.join(unknown):.200}"
        raise ModelportError(Reason.INVALID_SPEC, message)
    return [_describe(network, name, dtype, own.get(name)) for name in network.inputs]


def find_tables(network: Network) -> Mapping[str, Hint]:
    """Return the indices that inputs may hold, by input."""
    found: dict[str, Hint] = {}
    for vertex in network.vertices:
        layer = _read_by(vertex)
        if layer and layer.kind in TABLES:
            highest = layer.fields.length("nin", "nIn") - 1
            for name in set(vertex.inputs) & set(network.inputs):
                known = found.get(name)
                found[name] = Hint(lowest=0, highest=min(highest, known.highest or 0) if known else highest)
    return found


def _describe(network: Network, name: str, dtype: str, declared: Input | None) -> Input:
    layers = [_read_by(vertex) for vertex in network.vertices if name in vertex.inputs]
    is_index = bool(layers) and all(layer and layer.kind in TABLES for layer in layers)
    kind: Dtype = "int64" if is_index else dtype  # type: ignore[assignment]  # one of the three that parameters have
    if declared:
        return Input(name=name, dtype=kind, shape=declared.shape, values=declared.values)
    shape = list(_shape(network, name, _find_need(network, name)))
    found = Input(name=name, dtype=kind, shape=[BATCH, *shape])
    for number, axis in enumerate(spatial_axes(network, found)):
        limits = find_range(network, name, number)
        if isinstance(found.shape[axis], str) and limits.min == limits.max:
            shape[axis - 1] = limits.min
    return Input(name=name, dtype=kind, shape=[BATCH, *shape])


def _shape(network: Network, name: str, need: _Need) -> Sequence[int | str]:
    if need.shape:
        return need.shape
    rank = need.rank
    if not rank or not need.channels:
        missing = "how many axes it has" if not rank else f"how many channels its {rank} axes have"
        message = f"input {name:.80}: expected layers that tell its shape, found none that tells {missing}; state it under inputs"
        raise ModelportError(Reason.INPUTS_NEEDED, message)
    spatial = SPATIAL.get(rank, ())
    trial = Input(name=name, shape=[BATCH, *[1] * (rank - 1)])
    is_last = rank > 2 and spatial_axes(network, trial).start == 1  # noqa: PLR2004
    return (*spatial, need.channels) if is_last else (need.channels, *spatial)


def _find_need(network: Network, name: str) -> _Need:
    """Follow an input through what keeps its channels, until a layer tells how many they are."""
    need = _Need()
    open_names, seen = [name], {name}
    while open_names and not (need.shape or (need.rank and need.channels)):
        current = open_names.pop(0)
        for vertex in network.vertices:
            if current not in vertex.inputs or vertex.name in seen:
                continue
            seen.add(vertex.name)
            need = _with(need, vertex)
            if _keeps(vertex):
                open_names.append(vertex.name)
    return need


def _with(need: _Need, vertex: Vertex) -> _Need:
    if vertex.preprocessor or vertex.kind == "PreprocessorVertex":
        preprocessor = vertex.preprocessor or read_preprocessor(vertex.fields.inner("preProcessor"))
        return need if need.rank else _before(preprocessor, _channels(vertex.layer) if vertex.layer else 0)
    layer = _read_by(vertex)
    if layer is None:
        return need
    if layer.kind == "EmbeddingLayer":
        return _Need(2, 1)
    if layer.kind == "EmbeddingSequenceLayer":
        free = layer.fields.flag("inferInputLength", default=False)
        return _Need(2, 1, ("time" if free else layer.fields.integer("inputLength", default=1),))
    if layer.kind == "PReLULayer" and not need.rank:
        return _of_slopes(layer)
    outer = vertex.layer.kind if vertex.layer else ""
    rank = RANKS.get(outer, 0) or RANKS.get(layer.kind, 0)
    return _Need(need.rank or rank, need.channels or _channels(layer))


def _of_slopes(layer: Layer) -> _Need:
    shape = layer.fields.lengths("inputShape", len(layer.fields.items("inputShape")))
    rank, is_shared = len(shape) + 1, "sharedAxes" in layer.fields
    if shape[0] == 1 and is_shared:  # of axes that share slopes the file does not tell the length
        return _Need(rank)
    names = SPATIAL.get(rank, ())
    rest = [name if length == 1 and is_shared else length for length, name in zip(shape[1:], names, strict=False)]
    return _Need(rank, shape[0], (shape[0], *rest))


def _channels(layer: Layer) -> int:
    layer = next(_within(layer))
    if layer.kind == "BatchNormalization":
        return layer.fields.length("nout", "nOut")
    if layer.kind in KEEPING:
        return 0
    return layer.fields.integer("nin", "nIn", default=0)


def _before(preprocessor: Preprocessor, channels: int) -> _Need:
    """Return what a preprocessor reads."""
    kind, fields = preprocessor.kind, preprocessor.fields
    image = [fields.integer(each, default=0) for each in ("numChannels", "inputHeight", "inputWidth")]
    if kind == "FeedForwardToCnnPreProcessor" and all(image):
        return _Need(2, 1, (image[0] * image[1] * image[2],))
    if kind == "RnnToCnnPreProcessor" and all(image):
        return _Need(3, image[0] * image[1] * image[2])
    if kind == "CnnToFeedForwardPreProcessor" and all(image):
        last = fields.text("format") == "NHWC"
        return _Need(4, image[0], (*image[1:], image[0]) if last else tuple(image))
    if kind == "RnnToFeedForwardPreProcessor":
        return _Need(3, channels)
    return _Need()


def _keeps(vertex: Vertex) -> bool:
    if vertex.preprocessor:
        return False
    layer = _read_by(vertex)
    return layer.kind in KEEPING if layer else vertex.kind in KEEPING_VERTICES


def _read_by(vertex: Vertex) -> Layer | None:
    return next(_within(vertex.layer)) if vertex.layer else None


def _within(layer: Layer) -> Iterator[Layer]:
    """Return the innermost of layers that hold one."""
    while layer.kind in WRAPPERS:
        layer = layer.inner("layer", "underlying")
    yield layer
