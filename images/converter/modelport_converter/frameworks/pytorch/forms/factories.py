"""Weights, and a factory that builds the model that takes them."""

from pathlib import Path

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.jobs.requests import ConvertRequest
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.pytorch.building.loading import build_model, load_weights, wanted_by
from modelport_converter.frameworks.pytorch.forms.base import Loaded
from modelport_converter.frameworks.pytorch.weights.state_dicts import read_tensors, read_weights
from modelport_converter.tasks import find_part

READERS = {"pytorch-state-dict": read_weights, "safetensors": read_tensors}


def load(request: ConvertRequest, folder: Path, code: Path, seed: int) -> Loaded:  # noqa: ARG001  # as all forms
    """Build the model with this seed, and load its weights. Raises ModelportError."""
    if request.code is None or not request.inputs:
        raise ModelportError(Reason.INPUTS_NEEDED, "expected spec.source.code and spec.source.inputs, found none")
    model = build_model(request.code, seed)
    path = find_part(open_tree(folder), request.source_format, "weights")
    load_weights(model, READERS[request.source_format](path, request.checkpoint, wanted_by(model)))
    return Loaded(model, request.inputs)
