"""PyTorch models are asked in eager mode."""

import functools

import torch

from modelport.verification.calls import Infer
from modelport.verification.source.model import Source
from modelport_converter.code.paths import fresh_imports
from modelport_converter.frameworks.pytorch.answering import Asker, widen
from modelport_converter.frameworks.pytorch.building.state import find_differences, move_parameters
from modelport_converter.frameworks.pytorch.load import load_model, open_model
from modelport_converter.tasks import SourceTask


def open_source(task: SourceTask) -> Source:
    """Build the model and load its weights. Raises ModelportError."""
    request = task.request
    opened = open_model(request, task.model, task.code)
    (model, inputs, limits, *_), asker, unstored = opened.loaded, opened.asker, list[str]()
    precision = asker.find_precision()

    @functools.cache
    def build_other() -> torch.nn.Module:
        with fresh_imports(task.code):
            return load_model(request, task.model, task.code, seed=1).model

    def rebuild() -> Infer:
        other = build_other()
        unstored[:] = find_differences(model, other)
        return Asker(other, inputs, task.code).run_unwatched

    def move_weights() -> Infer:
        other = build_other()
        move_parameters(other)
        return Asker(other, inputs, task.code).run_unwatched

    return Source(
        inputs,
        asker.run,
        asker.find_random_operations,
        run_unwatched=asker.run_unwatched,
        hints=dict(asker.watch.hints),
        precision=precision,
        dimensions=limits,
        rebuild=rebuild,
        move_weights=move_weights,
        run_wide=widen(model, inputs, task.code) if precision == "float32" else None,
        find_unstored=lambda: unstored,
    )
