"""Parameters of each layer, as they lie in the vector of all of them: names, shapes and orders (nn/params of DL4J).

Dense weights are written column by column (order f), those of convolutions row by row, behind their bias.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array
from modelport_converter.frameworks.dl4j.reading.fields import Fields, corrupt
from modelport_converter.frameworks.dl4j.reading.networks import Layer, Network

MAX_PARAMETERS = 1 << 34


class Parameter(NamedTuple):
    """An array of a layer."""

    name: str
    shape: tuple[int, ...]
    order: str = "C"

    @property
    def size(self) -> int:
        """How many elements it has."""
        return int(np.prod([1, *self.shape], dtype=object))


Spec = Callable[[Layer], Sequence[Parameter]]


def list_parameters(layer: Layer) -> Sequence[Parameter]:
    """Return the parameters of a layer, in order. Raises ModelportError (ConversionFailed) for one that is not known."""
    if layer.kind in WITHOUT:
        return ()
    if layer.kind not in SPECS:
        message = f"{layer.fields.where:.100}: a layer {layer.kind:.80} is not converted; replace it, or export the model anew"
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    return SPECS[layer.kind](layer)


def count_parameters(network: Network) -> int:
    """Return the number of parameters of all layers. Raises ModelportError (ConversionFailed) where that is not known."""
    for vertex in network.vertices:
        if not vertex.layer and vertex.kind not in VERTICES:
            message = f"{vertex.name:.100}: a vertex {vertex.kind:.80} is not converted; replace it, and train anew"
            raise ModelportError(Reason.CONVERSION_FAILED, message)
    count = sum(each.size for vertex in network.vertices if vertex.layer for each in list_parameters(vertex.layer))
    if count > MAX_PARAMETERS:
        raise corrupt(f"layers: expected at most {MAX_PARAMETERS} parameters, found {count}")
    return count


def split_parameters(network: Network, vector: Array) -> Mapping[str, Mapping[str, Array]]:
    """Return the arrays of each layer, by vertex and name."""
    found: dict[str, dict[str, Array]] = {}
    start = 0
    for vertex in network.vertices:
        for each in list_parameters(vertex.layer) if vertex.layer else ():
            part = vector[start : start + each.size]
            start += each.size
            found.setdefault(vertex.name, {})[each.name] = part.reshape(
                each.shape, order="F" if each.order == "F" else "C"
            )
    return found


def sizes(fields: Fields) -> tuple[int, int]:
    """Return the numbers of inputs and outputs."""
    return fields.length("nin", "nIn"), fields.length("nout", "nOut")


def _bias(fields: Fields, count: int, *, default: bool = True) -> list[Parameter]:
    return [Parameter("b", (count,))] if fields.flag("hasBias", default=default) else []


def _dense(layer: Layer) -> Sequence[Parameter]:
    inputs, outputs = sizes(layer.fields)
    gain = [Parameter("g", (outputs,))] if layer.fields.flag("hasLayerNorm", default=False) else []
    return [Parameter("W", (inputs, outputs), "F"), *_bias(layer.fields, outputs), *gain]


def _table(layer: Layer) -> Sequence[Parameter]:
    inputs, outputs = sizes(layer.fields)
    # files of before 1.0.0-alpha say nothing, and have it (EmbeddingLayer.java, EmbeddingSequenceLayer.java)
    default = layer.kind == "EmbeddingLayer"
    return [Parameter("W", (inputs, outputs), "F"), *_bias(layer.fields, outputs, default=default)]


def _centers(layer: Layer) -> Sequence[Parameter]:
    inputs, outputs = sizes(layer.fields)
    return [*_dense(layer), Parameter("cL", (outputs, inputs))]


def _encoder(layer: Layer) -> Sequence[Parameter]:
    return [*_dense(layer), Parameter("vb", (sizes(layer.fields)[0],))]


def _convolution(axes: int) -> Spec:
    def spec(layer: Layer) -> Sequence[Parameter]:
        inputs, outputs = sizes(layer.fields)
        kernel = layer.fields.lengths("kernelSize", axes)
        # one that slides in time reads them in another order than it says (Convolution1DUtils.java)
        shape = (*kernel, inputs, outputs) if axes == 1 else (outputs, inputs, *kernel)
        return [*_bias(layer.fields, outputs), Parameter("W", shape)]

    return spec


def _deconvolution(axes: int) -> Spec:
    def spec(layer: Layer) -> Sequence[Parameter]:
        inputs, outputs = sizes(layer.fields)
        kernel = layer.fields.lengths("kernelSize", axes)
        shape = (*kernel, outputs, inputs) if axes == 3 else (inputs, outputs, *kernel)  # noqa: PLR2004
        return [*_bias(layer.fields, outputs), Parameter("W", shape)]

    return spec


def _depthwise(layer: Layer) -> Sequence[Parameter]:
    inputs = sizes(layer.fields)[0]
    multiplier = layer.fields.length("depthMultiplier")
    kernel = layer.fields.lengths("kernelSize", 2)
    return [*_bias(layer.fields, inputs * multiplier), Parameter("W", (*kernel, inputs, multiplier))]


def _separable(layer: Layer) -> Sequence[Parameter]:
    inputs, outputs = sizes(layer.fields)
    multiplier = layer.fields.length("depthMultiplier")
    kernel = layer.fields.lengths("kernelSize", 2)
    depthwise = Parameter("W", (multiplier, inputs, *kernel))
    return [*_bias(layer.fields, outputs), depthwise, Parameter("pW", (outputs, inputs * multiplier, 1, 1))]


def _batch_norm(layer: Layer) -> Sequence[Parameter]:
    count = layer.fields.length("nout", "nOut")
    locked = layer.fields.flag("lockGammaBeta", default=False)
    # the names of its parameters tell which of the two is stored (MultiLayerConfigurationDeserializer)
    spread = "var" if "var" in layer.variables else "log10stdev"
    names = ("mean", spread) if locked else ("gamma", "beta", "mean", spread)
    return [Parameter(name, (count,)) for name in names]


def _slopes(layer: Layer) -> Sequence[Parameter]:
    shape = layer.fields.lengths("inputShape", len(layer.fields.items("inputShape")))
    shared = (
        layer.fields.integers("sharedAxes", len(layer.fields.items("sharedAxes")))
        if "sharedAxes" in layer.fields
        else ()
    )
    return [Parameter("W", tuple(1 if axis + 1 in shared else each for axis, each in enumerate(shape)), "F")]


def _scales(layer: Layer) -> Sequence[Parameter]:
    inputs = sizes(layer.fields)[0]
    return [Parameter("W", (inputs,)), Parameter("b", (inputs,))]


def _simple(layer: Layer) -> Sequence[Parameter]:
    inputs, outputs = sizes(layer.fields)
    gain = [Parameter("g", (2 * outputs,))] if layer.fields.flag("hasLayerNorm", default=False) else []
    weights = [Parameter("W", (inputs, outputs), "F"), Parameter("RW", (outputs, outputs), "F")]
    return [*weights, Parameter("b", (outputs,)), *gain]


def _lstm(peepholes: int) -> Spec:
    def spec(layer: Layer) -> Sequence[Parameter]:
        inputs, outputs = sizes(layer.fields)
        return [
            Parameter("W", (inputs, 4 * outputs), "F"),
            Parameter("RW", (outputs, 4 * outputs + peepholes), "F"),
            Parameter("b", (4 * outputs,)),
        ]

    return spec


def _two_lstms(layer: Layer) -> Sequence[Parameter]:
    return [each._replace(name=f"{each.name}{side}") for side in "FB" for each in _lstm(3)(layer)]


def _within(*names: str) -> Spec:
    return lambda layer: list_parameters(layer.inner(*names))


def _both(layer: Layer) -> Sequence[Parameter]:
    def prefixed(side: str) -> Iterator[Parameter]:
        for each in list_parameters(layer.inner("fwd" if side == "f" else "bwd")):
            yield each._replace(name=f"{side}{each.name}")

    return [*prefixed("f"), *prefixed("b")]


VERTICES = {
    "DuplicateToTimeSeriesVertex", "ElementWiseVertex", "FrozenVertex", "L2NormalizeVertex", "L2Vertex",
    "LastTimeStepVertex", "MergeVertex", "PoolHelperVertex", "PreprocessorVertex", "ReshapeVertex",
    "ReverseTimeSeriesVertex", "ScaleVertex", "ShiftVertex", "StackVertex", "SubsetVertex", "UnstackVertex",
}  # fmt: skip
"""Vertices that have no parameters."""
WITHOUT = {
    "ActivationLayer", "CnnLossLayer", "Cnn3DLossLayer", "Cropping1D", "Cropping2D", "Cropping3D", "DropoutLayer",
    "GlobalPoolingLayer", "LocalResponseNormalization", "LossLayer", "MaskLayer", "RepeatVector", "RnnLossLayer",
    "SpaceToDepthLayer", "Subsampling1DLayer", "Subsampling3DLayer", "SubsamplingLayer",
    "Upsampling1D", "Upsampling2D", "Upsampling3D", "ZeroPadding1DLayer", "ZeroPadding3DLayer", "ZeroPaddingLayer",
}  # fmt: skip
"""Layers that have none."""
SPECS: dict[str, Spec] = {
    "AutoEncoder": _encoder,
    "BatchNormalization": _batch_norm,
    "Bidirectional": _both,
    "CenterLossOutputLayer": _centers,
    "Convolution1DLayer": _convolution(1),
    "Convolution3D": _convolution(3),
    "ConvolutionLayer": _convolution(2),
    "Deconvolution2D": _deconvolution(2),
    "Deconvolution3D": _deconvolution(3),
    "DenseLayer": _dense,
    "DepthwiseConvolution2D": _depthwise,
    "ElementWiseMultiplicationLayer": _scales,
    "EmbeddingLayer": _table,
    "EmbeddingSequenceLayer": _table,
    "FrozenLayer": _within("layer"),
    "FrozenLayerWithBackprop": _within("underlying"),
    "GravesBidirectionalLSTM": _two_lstms,
    "GravesLSTM": _lstm(3),
    "LSTM": _lstm(0),
    "LastTimeStep": _within("underlying"),
    "MaskZeroLayer": _within("underlying"),
    "OutputLayer": _dense,
    "PReLULayer": _slopes,
    "RnnOutputLayer": _dense,
    "SeparableConvolution2D": _separable,
    "SimpleRnn": _simple,
    "TimeDistributed": _within("underlying"),
}
