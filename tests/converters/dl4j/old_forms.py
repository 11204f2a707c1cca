"""A configuration as versions before 1.0.0-beta wrote it: an object's class is the name of its only field."""

from typing import Any

NAMES = {
    "AutoEncoder": "autoEncoder", "ConvolutionLayer": "convolution", "GravesLSTM": "gravesLSTM",
    "GravesBidirectionalLSTM": "gravesBidirectionalLSTM", "OutputLayer": "output", "RnnOutputLayer": "rnnoutput",
    "LossLayer": "loss", "DenseLayer": "dense", "SubsamplingLayer": "subsampling", "Subsampling1DLayer": "subsampling1d",
    "BatchNormalization": "batchNormalization", "LocalResponseNormalization": "localResponseNormalization",
    "EmbeddingLayer": "embedding", "ActivationLayer": "activation", "DropoutLayer": "dropout",
    "GlobalPoolingLayer": "GlobalPooling", "ZeroPaddingLayer": "zeroPadding", "ZeroPadding1DLayer": "zeroPadding1d",
    "ElementWiseMultiplicationLayer": "ElementWiseMult",
    "CnnToFeedForwardPreProcessor": "cnnToFeedForward", "CnnToRnnPreProcessor": "cnnToRnn",
    "ComposableInputPreProcessor": "composableInput", "FeedForwardToCnnPreProcessor": "feedForwardToCnn",
    "FeedForwardToRnnPreProcessor": "feedForwardToRnn", "RnnToFeedForwardPreProcessor": "rnnToFeedForward",
    "RnnToCnnPreProcessor": "rnnToCnn",
}  # fmt: skip
PACKAGES = (".conf.layers.", ".conf.preprocessor.", ".conf.graph.", ".activations.impl.", ".lossfunctions.impl.")
LATER = {"rnnDataFormat", "cnn2dDataFormat", "cnn2DFormat", "dataFormat", "format", "dataType", "topologicalOrder"}
"""Fields that there were none of."""


def as_before_beta(value: Any) -> Any:
    """Return a configuration of today in the form of before."""
    if isinstance(value, list):
        return [as_before_beta(each) for each in value]
    if not isinstance(value, dict):
        return value
    inner = {key: as_before_beta(each) for key, each in value.items() if key not in LATER | {"topologicalOrderStr"}}
    name = value.get("@class", "")
    if not any(package in name for package in PACKAGES):
        return inner
    del inner["@class"]
    kind = name.rpartition(".")[2].rpartition("$")[2].removeprefix("Activation")
    if ".lossfunctions." in name:
        kind = kind.removeprefix("Loss")
    if ".activations." not in name and ".lossfunctions." not in name:
        kind = name.rpartition(".")[2].rpartition("$")[2]
    return {NAMES.get(kind, kind): inner}
