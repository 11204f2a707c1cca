"""TensorFlow's models are asked eagerly, operator by operator."""

from modelport.verification.calls import Infer
from modelport.verification.source.model import Source
from modelport_converter.frameworks.tensorflow.answering import make_run, move_variables
from modelport_converter.frameworks.tensorflow.load import load_model, open_model
from modelport_converter.tasks import SourceTask


def open_source(task: SourceTask) -> Source:
    """Build the model and load its weights. Raises ModelportError."""
    request, opened = task.request, open_model(task.request, task.model)

    def rebuild() -> Infer:
        return make_run(load_model(request, task.model, seed=1))

    def move_weights() -> Infer:
        other = load_model(request, task.model, seed=0)
        move_variables(other)
        return make_run(other)

    return Source(
        opened.model.inputs,
        make_run(opened.model),
        lambda: opened.random,
        precision=opened.precision,
        rebuild=rebuild,
        move_weights=move_weights,
    )
