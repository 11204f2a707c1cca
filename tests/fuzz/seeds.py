"""What is mutated: for each format, small models as its framework wrote them, cells of the conversion matrix."""

from collections.abc import Sequence
from pathlib import Path

from matrix.sources import MAKERS_BY_FRAMEWORK, make
from modelport.frameworks import framework_of

SEEDS: dict[str, Sequence[str]] = {
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
    "keras-json-weights": ("cnn/keras-json-weights-3", "cnn/keras-checkpoint-3"),
}
"""A new format adds a line, and its cells to tests/matrix/expected.toml."""


def seeds_of(format_name: str) -> list[Path]:
    """Return the folders of a format's models, made if they are not there."""
    folders = make(MAKERS_BY_FRAMEWORK[framework_of(format_name).name], SEEDS[format_name])
    for cell, folder in folders.items():
        if not (folder / "cell.json").exists():
            raise RuntimeError(f"{cell}: the model could not be made; {folder / 'error'} says why")
    return list(folders.values())
