"""Toy models in memory and in both of their forms: affine layers with a tanh between them."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array, Tensors

MAGIC = b"TOYB"


class Model(NamedTuple):
    """A perceptron; each layer has weights (inputs, outputs) and offsets (outputs), float32."""

    input: str
    output: str
    layers: list[tuple[Array, Array]]

    def run(self, tensors: Tensors) -> Tensors:
        """Return the answer."""
        values = tensors[self.input]
        for number, (weights, offsets) in enumerate(self.layers):
            values = (np.tanh(values) if number else values) @ weights + offsets
        return {self.output: values}


def read_model(path: Path) -> Model:
    """Return the model of a file in either form. Raises ModelportError (SourceCorrupt)."""
    content = path.read_bytes()
    try:
        fields = json.loads(content[len(MAGIC) :]) if content.startswith(MAGIC) else _read_text(content.decode())
        layers = [(np.array(rows[:-1], np.float32), np.array(rows[-1], np.float32)) for rows in fields["layers"]]
        return Model(fields["input"], fields["output"], layers)
    except (KeyError, IndexError, ValueError) as error:
        message = f"{path.name}: expected a toy model, found: {error!s:.200}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error


def write_binary(model: Model, path: Path) -> None:
    """Write a model as bytes."""
    layers = [[*weights.tolist(), offsets.tolist()] for weights, offsets in model.layers]
    path.write_bytes(MAGIC + json.dumps({"input": model.input, "output": model.output, "layers": layers}).encode())


def _read_text(text: str) -> dict[str, object]:
    """Return what lines `input NAME`, `output NAME` and, for each layer, `layer` with rows of numbers say."""
    fields: dict[str, str] = {}
    layers: list[list[list[float]]] = []
    for line in text.splitlines()[1:]:
        words = line.split()
        if words == ["layer"]:
            layers.append([])
        elif words[0] in {"input", "output"}:
            fields[words[0]] = words[1]
        else:
            layers[-1].append([float(word) for word in words])
    return {**fields, "layers": layers}
