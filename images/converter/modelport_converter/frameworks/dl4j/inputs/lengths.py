"""How long height, width, depth or time of an input may be: as long as all layers, and what flattens them, take it.

A file holds no length of an input. It holds the size that an image has where it becomes a vector, and several sizes of an
input come to the same one, where windows leave a rest.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from modelport.api.spec import DimensionRange, Input
from modelport_converter.frameworks.dl4j.reading.fields import Fields
from modelport_converter.frameworks.dl4j.reading.layouts import is_last
from modelport_converter.frameworks.dl4j.reading.networks import Layer, Network, Preprocessor, Vertex
from modelport_converter.frameworks.dl4j.writing.windows import mode_of

LONGEST = 1 << 15
WINDOWS = {
    "Convolution1DLayer": 1, "Convolution3D": 3, "ConvolutionLayer": 2, "DepthwiseConvolution2D": 2,
    "SeparableConvolution2D": 2, "Subsampling1DLayer": 1, "Subsampling3DLayer": 3, "SubsamplingLayer": 2,
}  # fmt: skip
"""Layers that slide windows, and over how many axes."""
WIDENING = {"Deconvolution2D": 2, "Deconvolution3D": 3}
REPEATING = {"Upsampling1D": 1, "Upsampling2D": 2, "Upsampling3D": 3}
BORDERS = {
    "Cropping1D": ("cropping", 1), "Cropping2D": ("cropping", 2), "Cropping3D": ("cropping", 3),
    "ZeroPadding1DLayer": ("padding", 1), "ZeroPaddingLayer": ("padding", 2), "ZeroPadding3DLayer": ("padding", 3),
}  # fmt: skip
HOLDING = {
    "Bidirectional", "FrozenLayer", "FrozenLayerWithBackprop", "LastTimeStep", "MaskZeroLayer", "TimeDistributed",
}  # fmt: skip
"""Layers around another one."""
LAYOUTS = {
    3: ("rnnDataFormat", "cnn2dDataFormat", "dataFormat"),
    4: ("cnn2dDataFormat", "cnn2DFormat", "dataFormat", "format"),
    5: ("dataFormat", "format"),
}
"""Fields that say where channels stand, by axes of the input: layers inherit some that do not count."""
ENDING = {
    "AutoEncoder", "CenterLossOutputLayer", "DenseLayer", "EmbeddingLayer", "GlobalPoolingLayer", "LastTimeStep",
    "OutputLayer",
}  # fmt: skip
"""Behind these the axis is gone."""
SIDES = ("inputHeight", "inputWidth")
FLATTENED: Mapping[str, tuple[str, ...]] = {
    "Cnn3DToFeedForwardPreProcessor": ("inputDepth", *SIDES),
    "CnnToFeedForwardPreProcessor": SIDES,
    "CnnToRnnPreProcessor": SIDES,
}
"""Fields that tell the lengths where they end in a vector."""


class _Trial(NamedTuple):
    """What becomes of a length."""

    shortest: int
    """Of the axis, anywhere."""
    flattened: tuple[tuple[int, int], ...]
    """Where it ends in a vector: the length there, and the one that is wanted."""


def find_range(network: Network, name: str, axis: int) -> DimensionRange:
    """Return the lengths that an axis of an input may have, of those that are no batch and no channels, from 0 on."""

    def is_long_enough(length: int) -> bool:
        trial = _try(network, name, axis, length)
        return trial.shortest >= 1 and all(found >= wanted for found, wanted in trial.flattened)

    def is_too_long(length: int) -> bool:
        return any(found > wanted for found, wanted in _try(network, name, axis, length).flattened)

    lowest = next((each for each in _powers() if is_long_enough(each)), 0)
    lowest = _first(is_long_enough, lowest) if lowest else 1
    if not _try(network, name, axis, lowest).flattened or is_too_long(lowest):
        return DimensionRange(min=lowest)
    highest = next((each for each in _powers() if is_too_long(each)), 0)
    return DimensionRange(min=lowest, max=_first(is_too_long, highest) - 1 if highest else None)


def find_ranges(network: Network, inputs: Sequence[Input]) -> Mapping[str, DimensionRange]:
    """Return the limits of the free lengths of inputs, by their names."""
    found: dict[str, DimensionRange] = {}
    for each in inputs:
        spatial = spatial_axes(network, each)
        for number, axis in enumerate(spatial):
            name = each.shape[axis]
            if isinstance(name, str):
                limits, known = find_range(network, each.name, number), found.get(name, DimensionRange())
                highest = min((end for end in (limits.max, known.max) if end is not None), default=None)
                found[name] = DimensionRange(min=max(limits.min, known.min), max=highest)
    return {name: limits for name, limits in found.items() if limits != DimensionRange()}


def spatial_axes(network: Network, each: Input) -> range:
    """Return the axes of an input that are neither batch nor channels."""
    rank = len(each.shape)
    last = any(_reads_last(vertex, rank) for vertex in network.vertices if each.name in vertex.inputs)
    if rank == 2:  # noqa: PLR2004  # sequences of indices have no channels
        table = any(
            v.layer and v.layer.kind == "EmbeddingSequenceLayer" for v in network.vertices if each.name in v.inputs
        )
        return range(1, 2) if table else range(0)
    return range(1, rank - 1) if last else range(2, rank)


def _reads_last(vertex: Vertex, rank: int) -> bool:
    if vertex.preprocessor:
        return is_last(vertex.preprocessor.fields, "rnnDataFormat", "format")
    if vertex.layer is None:
        return False
    layer = vertex.layer
    while layer.kind in HOLDING and "rnnDataFormat" not in layer.fields:
        layer = layer.inner("fwd", "layer", "underlying")
    return is_last(layer.fields, *LAYOUTS.get(rank, ()))


def _powers() -> list[int]:
    return [1 << exponent for exponent in range(LONGEST.bit_length())]


def _first(holds: object, upper: int) -> int:
    """Return the smallest length for which something holds that holds for all longer ones, too."""
    assert callable(holds)
    low, high = upper // 2, upper
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _try(network: Network, name: str, axis: int, length: int) -> _Trial:
    lengths: dict[str, int] = {name: length}
    flattened: list[tuple[int, int]] = []
    for vertex in network.vertices:
        found = next((lengths[each] for each in vertex.inputs if each in lengths), None)
        if found is None:
            continue
        if vertex.preprocessor:
            wanted = _wanted(vertex.preprocessor, axis)
            flattened += [(found, wanted)] if wanted else []
            continue
        if vertex.layer is None or vertex.layer.kind not in ENDING:
            if vertex.kind in {"PreprocessorVertex", "LastTimeStepVertex", "L2Vertex", "ReshapeVertex"}:
                continue
            lengths[vertex.name] = _length(vertex.layer, axis, found) if vertex.layer else found
    return _Trial(min(lengths.values()), tuple(flattened))


def _wanted(preprocessor: Preprocessor, axis: int) -> int:
    names = FLATTENED.get(preprocessor.kind, ())
    return preprocessor.fields.integer(names[axis], default=0) if axis < len(names) else 0


def _length(layer: Layer, axis: int, length: int) -> int:
    kind, fields = layer.kind, layer.fields
    if kind in WINDOWS and axis < WINDOWS[kind]:
        size, stride, border = _window(fields, WINDOWS[kind], axis)
        if mode_of(fields) in {"Same", "Causal"}:
            return -(-length // stride)
        return (length - size + 2 * border) // stride + 1 if length + 2 * border >= size else 0
    if kind in WIDENING and axis < WIDENING[kind]:
        size, stride, border = _window(fields, WIDENING[kind], axis)
        return stride * length if mode_of(fields) == "Same" else stride * (length - 1) + size - 2 * border
    if kind in REPEATING and axis < REPEATING[kind]:
        return length * fields.lengths("size", REPEATING[kind])[axis]
    if kind in BORDERS and axis < BORDERS[kind][1]:
        name, axes = BORDERS[kind]
        given = fields.integers(name, len(fields.items(name)))
        total = 2 * given[axis] if len(given) == axes else sum(given[2 * axis : 2 * axis + 2])
        return length - total if name == "cropping" else length + total
    return length // fields.length("blockSize") if kind == "SpaceToDepthLayer" else length


def _window(fields: Fields, axes: int, axis: int) -> tuple[int, int, int]:
    size, dilation = fields.lengths("kernelSize", axes)[axis], fields.lengths("dilation", axes, 1)[axis]
    return (size - 1) * dilation + 1, fields.lengths("stride", axes, 1)[axis], fields.integers("padding", axes, 0)[axis]
