"""Toy models tell their signature."""

from pathlib import Path

from modelport.api.status import Signature, Tensor
from modelport_converter.frameworks.toy.models import read_model


def inspect(folder: Path, paths: list[str], format_name: str) -> Signature:
    """Return input and output. Raises ModelportError."""
    model = read_model(folder / paths[0])
    return Signature(
        inputs=[Tensor(name=model.input, dtype="float32", shape=["batch", len(model.layers[0][0])])],
        outputs=[Tensor(name=model.output, dtype="float32", shape=["batch", len(model.layers[-1][1])])],
    )
