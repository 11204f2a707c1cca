"""MXNet's models are asked by MXNet itself."""

import numpy as np

from modelport.verification.calls import Infer
from modelport.verification.source.model import Source
from modelport.verification.source.moving import move_weights
from modelport_converter.frameworks.mxnet.symbols.answering import make_run
from modelport_converter.frameworks.mxnet.symbols.hints import find_hints, find_precision
from modelport_converter.frameworks.mxnet.symbols.settling import open_settled
from modelport_converter.tasks import SourceTask


def open_source(task: SourceTask) -> Source:
    """Return the source model, loaded. Raises ModelportError."""
    model, inferred, _ = open_settled(task.request, task.model)

    def move() -> Infer:
        random = np.random.default_rng(0)
        return make_run(model, {name: move_weights(array, random) for name, array in model.weights.items()})

    return Source(
        model.inputs,
        make_run(model),
        hints=find_hints(model, inferred),
        precision=find_precision(inferred[0]),
        move_weights=move if model.weights else None,
    )
