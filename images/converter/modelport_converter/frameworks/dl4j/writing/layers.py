"""Which layer is written how, and layers that hold another one."""

from modelport_converter.frameworks.dl4j.reading.fields import corrupt
from modelport_converter.frameworks.dl4j.reading.layouts import is_last
from modelport_converter.frameworks.dl4j.reading.networks import Layer
from modelport_converter.frameworks.dl4j.writing import convolution, dense, pooling, recurrent
from modelport_converter.frameworks.dl4j.writing.activations import activate
from modelport_converter.frameworks.dl4j.writing.convolution import Writer
from modelport_converter.frameworks.dl4j.writing.dense import Weights
from modelport_converter.frameworks.dl4j.writing.graph import Graph, Value, expect_rank, refused

MODES = {"ADD": "Add", "MUL": "Mul", "AVERAGE": "Add", "CONCAT": "Concat"}


def write_layer(graph: Graph, layer: Layer, weights: Weights, value: Value) -> Value:
    """Return a layer's output. Raises ModelportError (ConversionFailed) for what is not converted."""
    if layer.kind not in WRITERS:
        raise refused(layer.fields.where, f"a layer {layer.kind:.80} is not converted; replace it, and train anew")
    return WRITERS[layer.kind](graph, layer, weights, value)


def _activation(graph: Graph, layer: Layer, _weights: Weights, value: Value) -> Value:
    return activate(graph, layer.fields, value)


def _places(graph: Graph, layer: Layer, _weights: Weights, value: Value) -> Value:
    expect_rank(value, layer.fields.where, 4, 5)
    last = is_last(layer.fields, "format", "dataFormat")
    return activate(graph, layer.fields, value, axis=-1 if last else 1)


def _nothing(_graph: Graph, _layer: Layer, _weights: Weights, value: Value) -> Value:
    return value


def _repeat(graph: Graph, layer: Layer, _weights: Weights, value: Value) -> Value:
    expect_rank(value, layer.fields.where, 2)
    axis = 1 if is_last(layer.fields, "dataFormat") else 2
    count = layer.fields.length("n")
    wide = graph.add("Unsqueeze", value.name, graph.lengths(axis))
    return Value(graph.add("Tile", wide, graph.lengths(*(count if each == axis else 1 for each in range(3)))), 3)


def _frozen(graph: Graph, layer: Layer, weights: Weights, value: Value) -> Value:
    return write_layer(graph, layer.inner("layer", "underlying"), weights, value)


def _last_step(graph: Graph, layer: Layer, weights: Weights, value: Value) -> Value:
    inner = layer.inner("underlying")
    result = write_layer(graph, inner, weights, value)
    expect_rank(result, layer.fields.where, 3)
    return Value(recurrent.take_last(graph, result.name, 1 if time_is_second(inner) else 2), 2)


def time_is_second(layer: Layer) -> bool:
    """Whether sequences of a layer, or of the one within it, have their features last."""
    if layer.kind in {"Bidirectional", "FrozenLayer", "LastTimeStep", "FrozenLayerWithBackprop"}:
        return time_is_second(layer.inner("fwd", "layer", "underlying"))
    return is_last(layer.fields, "rnnDataFormat", "outputFormat")


def _both(graph: Graph, layer: Layer, weights: Weights, value: Value) -> Value:
    """One layer from the beginning, one from the end, whose output is put into the order of the input again."""
    mode = layer.fields.text("mode", "CONCAT")
    if mode not in MODES:
        raise corrupt(f"{layer.fields.where:.100}.mode: expected {', '.join(MODES)}, found {mode:.40}")
    expect_rank(value, layer.fields.where, 3)
    axis = 1 if time_is_second(layer) else 2
    parts = [{each[1:]: weights[each] for each in weights if each.startswith(side)} for side in "fb"]
    forward = write_layer(graph, layer.inner("fwd"), parts[0], value)
    reverse = Value(recurrent.reverse_time(graph, value.name, axis), 3)
    backward = write_layer(graph, layer.inner("bwd"), parts[1], reverse)
    name = recurrent.reverse_time(graph, backward.name, axis) if backward.rank == 3 else backward.name  # noqa: PLR2004
    if mode == "CONCAT":
        features = 3 - axis if forward.rank == 3 else 1  # noqa: PLR2004
        return Value(graph.add("Concat", forward.name, name, axis=features), forward.rank)
    result = graph.add(MODES[mode], forward.name, name)
    return Value(graph.add("Mul", result, graph.numbers(0.5)) if mode == "AVERAGE" else result, forward.rank)


def _at_each_time(graph: Graph, layer: Layer, weights: Weights, value: Value) -> Value:
    """Rows of all times through a layer of vectors, and back."""
    expect_rank(value, layer.fields.where, 3)
    last = is_last(layer.fields, "rnnDataFormat")
    first = value.name if last else graph.transpose(value.name, 0, 2, 1)
    sizes = [graph.length(first, each) for each in range(3)]
    rows = graph.add("Reshape", first, graph.add("Concat", graph.lengths(-1), sizes[2], axis=0))
    result = write_layer(graph, layer.inner("underlying"), weights, Value(rows, 2))
    expect_rank(result, layer.fields.where, 2)
    shape = graph.add("Concat", sizes[0], sizes[1], graph.length(result.name, 1), axis=0)
    name = graph.add("Reshape", result.name, shape)
    return Value(name if last else graph.transpose(name, 0, 2, 1), 3)


WRITERS: dict[str, Writer] = {
    "ActivationLayer": _activation,
    "AutoEncoder": dense.write_dense,
    "BatchNormalization": pooling.write_batch_norm,
    "Bidirectional": _both,
    "CenterLossOutputLayer": dense.write_dense,
    "Cnn3DLossLayer": _places,
    "CnnLossLayer": _places,
    "Convolution1DLayer": convolution.write_convolution(1),
    "Convolution3D": convolution.write_convolution(3),
    "ConvolutionLayer": convolution.write_convolution(2),
    "Cropping1D": pooling.write_cropping(1),
    "Cropping2D": pooling.write_cropping(2),
    "Cropping3D": pooling.write_cropping(3),
    "Deconvolution2D": convolution.write_deconvolution(2),
    "Deconvolution3D": convolution.write_deconvolution(3),
    "DenseLayer": dense.write_dense,
    "DepthwiseConvolution2D": convolution.write_depthwise,
    "DropoutLayer": _nothing,
    "ElementWiseMultiplicationLayer": dense.write_scales,
    "EmbeddingLayer": dense.write_lookup,
    "EmbeddingSequenceLayer": dense.write_sequence_lookup,
    "FrozenLayer": _frozen,
    "FrozenLayerWithBackprop": _frozen,
    "GlobalPoolingLayer": pooling.write_global_pooling,
    "GravesBidirectionalLSTM": recurrent.write_two_lstms,
    "GravesLSTM": recurrent.write_lstm,
    "LSTM": recurrent.write_lstm,
    "LastTimeStep": _last_step,
    "LocalResponseNormalization": pooling.write_local_response,
    "LossLayer": _activation,
    "MaskLayer": _nothing,
    "MaskZeroLayer": recurrent.write_without_zeros,
    "OutputLayer": dense.write_dense,
    "PReLULayer": dense.write_slopes,
    "RepeatVector": _repeat,
    "RnnLossLayer": recurrent.write_rnn_output,
    "RnnOutputLayer": recurrent.write_rnn_output,
    "SeparableConvolution2D": convolution.write_separable,
    "SimpleRnn": recurrent.write_simple,
    "SpaceToDepthLayer": pooling.write_depth_from_space,
    "Subsampling1DLayer": pooling.write_pooling(1),
    "Subsampling3DLayer": pooling.write_pooling(3),
    "SubsamplingLayer": pooling.write_pooling(2),
    "TimeDistributed": _at_each_time,
    "Upsampling1D": pooling.write_upsampling(1),
    "Upsampling2D": pooling.write_upsampling(2),
    "Upsampling3D": pooling.write_upsampling(3),
    "ZeroPadding1DLayer": pooling.write_padding(1),
    "ZeroPadding3DLayer": pooling.write_padding(3),
    "ZeroPaddingLayer": pooling.write_padding(2),
}
