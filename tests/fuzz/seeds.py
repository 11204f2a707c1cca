"""What is mutated: for each format, small models as its framework wrote them, cells of the conversion matrix."""

from collections.abc import Sequence
from pathlib import Path

from matrix.sources import MAKERS_BY_FRAMEWORK, make
from modelport.frameworks import framework_of

SEEDS: dict[str, Sequence[str]] = {
    "dl4j": ("residual/dl4j", "lenet/dl4j", "peepholes/dl4j", "seq-to-seq/dl4j", "half-lstm/dl4j"),
    "onnx": ("attention/onnx", "attention/onnx-external"),
    "pytorch-state-dict": ("lstm/state-dict", "lstm/lightning"),
    "safetensors": ("lstm/safetensors",),
    "huggingface": ("bert/huggingface",),
    "torchscript": ("lstm/torchscript-traced", "lstm/torchscript-scripted"),
    "pytorch-export": ("lstm/pytorch-export",),
    "pytorch-module": ("lstm/module",),
    "tensorflow-graph": ("cnn/frozen-1", "lstm/frozen-3"),
    "tensorflow-checkpoint": ("cnn/checkpoint-1",),
    "tensorflow-saved-model": ("cnn/saved-model-3", "lstm/saved-model-2", "cnn/saved-model-1"),
    "tflite": ("cnn/tflite-3",),
    "keras": ("cnn/keras-3", "cnn/keras-2"),
    "keras-h5": ("cnn/keras-h5-3", "lstm/keras-h5-2"),
    "caffe": ("residual/caffe", "detector/caffe", "maxout/caffe", "segmentation/caffe", "old/caffe"),
    "mxnet": ("cnn/mxnet", "cnn/0.8", "reading/mxnet", "ssd/mxnet"),
    "keras-json-weights": ("cnn/keras-json-weights-3", "cnn/keras-checkpoint-3"),
    "paddle": ("cnn/pdmodel", "cnn/pdmodel-apart"),
    "paddle-json": ("cnn/json", "lstm/json"),
    "theano-function": ("mlp/theano", "mlp/theano-text", "mlp/theano-4", "rnn/theano", "words/theano-dict"),
    "h2o-mojo": ("gbm-binomial/mojo", "deeplearning-multinomial/mojo", "xgboost-regression/mojo"),
    "h2o-pojo": ("gbm-binomial/pojo",),
    "sklearn": ("columns/pickle", "svc/joblib"),
    "skops": ("columns/skops", "mlp/skops"),
    "xgboost": ("xgboost/json", "xgboost/ubj"),
    "lightgbm": ("lightgbm/text",),
    "catboost": ("catboost/cbm",),
}
"""A new format adds a line, and its cells to tests/matrix/expected.toml."""


def seeds_of(format_name: str) -> list[Path]:
    """Return the folders of a format's models, made if they are not there."""
    folders = make(MAKERS_BY_FRAMEWORK[framework_of(format_name).name], SEEDS[format_name])
    for cell, folder in folders.items():
        if not (folder / "cell.json").exists():
            raise RuntimeError(f"{cell}: the model could not be made; {folder / 'error'} says why")
    return list(folders.values())
