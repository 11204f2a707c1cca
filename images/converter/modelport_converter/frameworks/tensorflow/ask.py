"""TensorFlow's models are asked as Python runs them, which takes nothing from the graph that is converted.

Loops are asked as a graph: in Python each step of a recurrent layer takes a thousand times as long. The second build is
asked by Python, so that the two are compared, and by a graph of its own where that would take minutes.
"""

import functools

from modelport.frameworks import FORMATS
from modelport.verification.arrays import Tensors
from modelport.verification.calls import Infer
from modelport.verification.source.model import Source
from modelport_converter.code.paths import fresh_imports
from modelport_converter.frameworks.tensorflow.model import Model, find_precision, find_random, has_loops, trace
from modelport_converter.frameworks.tensorflow.opening.answering import make_graph_run, make_run, move_variables
from modelport_converter.frameworks.tensorflow.opening.load import load_model, open_model
from modelport_converter.frameworks.tensorflow.opening.tables import find_tables
from modelport_converter.tasks import SourceTask

MAX_STEPS = 64
"""Longer sequences than these are asked of a graph of the second build, too."""


def open_source(task: SourceTask) -> Source:
    """Build the model and load its weights. Raises ModelportError."""
    request = task.request
    model, graph = open_model(request, task.model)[:2]
    if graph is None:
        return Source(model.inputs, make_run(model))
    nodes, as_graph = graph.nodes, make_graph_run(model, graph)

    @functools.cache
    def build_other() -> Model:
        with fresh_imports(task.code):
            return load_model(request, task.model, seed=1)

    def rebuild() -> Infer:
        other = build_other()
        by_python = make_run(other)
        if not has_loops(nodes):
            return by_python
        by_graph = make_graph_run(other, trace(other))
        return lambda tensors: (by_python if _longest(tensors) <= MAX_STEPS else by_graph)(tensors)

    def move_weights() -> Infer:
        other = build_other()  # which has answered by then
        move_variables(other)
        return make_graph_run(other, trace(other))

    return Source(
        model.inputs,
        as_graph if has_loops(nodes) else make_run(model),
        lambda: find_random(nodes),
        run_unwatched=as_graph,
        hints=find_tables(graph, model.inputs),
        precision=find_precision(nodes),
        rebuild=None if FORMATS[request.source_format].holds_graph else rebuild,
        move_weights=move_weights if model.variables else None,
    )


def _longest(tensors: Tensors) -> int:
    return max((length for array in tensors.values() for length in array.shape[1:]), default=1)
