"""TensorFlow's models are asked as Python runs them, which takes nothing from the graph that is converted.

Loops are asked as a graph: in Python each step of a recurrent layer takes a thousand times as long. The second build is
always asked by Python, so that the two are compared.
"""

from modelport.frameworks import FORMATS
from modelport.verification.calls import Infer
from modelport.verification.source.model import Source
from modelport_converter.frameworks.tensorflow.answering import make_graph_run, make_run, move_variables
from modelport_converter.frameworks.tensorflow.load import load_model, open_model
from modelport_converter.frameworks.tensorflow.model import find_precision, find_random, has_loops, trace
from modelport_converter.tasks import SourceTask


def open_source(task: SourceTask) -> Source:
    """Build the model and load its weights. Raises ModelportError."""
    request, opened = task.request, open_model(task.request, task.model)
    as_graph = make_graph_run(opened.model, opened.graph)

    def rebuild() -> Infer:
        return make_run(load_model(request, task.model, seed=1))

    def move_weights() -> Infer:
        other = load_model(request, task.model, seed=0)
        move_variables(other)
        return make_graph_run(other, trace(other))

    return Source(
        opened.model.inputs,
        as_graph if has_loops(opened.graph.nodes) else make_run(opened.model),
        lambda: find_random(opened.graph.nodes),
        run_unwatched=as_graph,
        precision=find_precision(opened.graph.nodes),
        rebuild=None if FORMATS[request.source_format].holds_graph else rebuild,
        move_weights=move_weights,
    )
