"""DL4J answers: 1.0.0-M2.1 on the JVM, with its native library."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from modelport.frameworks.dl4j import FORMAT
from modelport.storage.trees import open_tree
from modelport.verification.arrays import Tensors
from modelport.verification.source.model import Source
from modelport_converter.frameworks.dl4j.asking.process import Network
from modelport_converter.frameworks.dl4j.inputs.lengths import find_ranges
from modelport_converter.frameworks.dl4j.inputs.signatures import find_tables
from modelport_converter.frameworks.dl4j.opening import Model, open_model
from modelport_converter.frameworks.dl4j.reading.archives import copy_model
from modelport_converter.tasks import SourceTask, find_part


def open_source(task: SourceTask) -> Source:
    """Load the model in a process of Java. Raises ModelportError."""
    path = find_part(open_tree(task.model), FORMAT)
    model = open_model(path, task.request.inputs)
    return Source(
        model.inputs,
        _make_run(path, model),
        hints=find_tables(model.network),
        precision="float16" if model.vector.dtype == np.float16 else "float32",
        dimensions=find_ranges(model.network, model.inputs),
    )


def _make_run(path: Path, model: Model) -> Callable[[Tensors], Tensors]:
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder) / "model.zip"
        copy_model(path, alone)
        network = Network(alone, is_graph=model.network.is_graph)
    names, outputs = [each.name for each in model.inputs], model.network.outputs

    def run(tensors: Tensors) -> Tensors:
        return dict(zip(outputs, network.answer([tensors[name] for name in names]), strict=True))

    return run
