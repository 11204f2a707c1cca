"""Caffe models are asked by OpenCV, and by numpy where OpenCV computes otherwise than Caffe."""

import cv2
import numpy as np

from modelport.api.spec import Input
from modelport.steps.runner import say
from modelport.storage.trees import open_tree
from modelport.verification.calls import Infer
from modelport.verification.hints import Hint
from modelport.verification.source.model import Source
from modelport_converter.frameworks.caffe.answering.numpy_net import run_net
from modelport_converter.frameworks.caffe.answering.opencv import open_in_opencv
from modelport_converter.frameworks.caffe.answering.trusted import find_untrusted
from modelport_converter.frameworks.caffe.layers.convolving import Embed
from modelport_converter.frameworks.caffe.layers.net import Net
from modelport_converter.frameworks.caffe.model import Model, open_model
from modelport_converter.tasks import SourceTask, last_line

LOGGER = "caffe"


def open_source(task: SourceTask) -> Source:
    """Return the source model, loaded. Raises ModelportError."""
    model = open_model(open_tree(task.model), task.request.inputs)
    said = {each.name: each.values for each in task.request.inputs}
    inputs = [
        Input(name=name, dtype="float32", shape=list(shape), values=said.get(name))
        for name, shape in model.net.inputs.items()
    ]
    return Source(
        inputs, open_answering(model), hints=_tables(model.net), run_wide=lambda tensors: run_net(model.net, tensors)
    )


def _tables(net: Net) -> dict[str, Hint]:
    """Return which inputs are numbers of rows in a table."""
    return {
        step.bottoms[0]: Hint(0, len(step.operator.table) - 1)
        for step in net.steps
        if isinstance(step.operator, Embed) and step.bottoms[0] in net.inputs
    }


def open_answering(model: Model) -> Infer:
    """Return what answers for the model."""
    why = find_untrusted(model)
    if not why:
        # a batch of two: some layers fail only there
        shapes = {
            name: [2 if isinstance(each, str) else each for each in shape] for name, shape in model.net.inputs.items()
        }
        try:
            answer = open_in_opencv(model)
            answer({name: np.zeros(shape, np.float32) for name, shape in shapes.items()})
        except (cv2.error, IndexError, ValueError) as error:
            why = last_line(error)
        else:
            say(LOGGER, f"asked by OpenCV {cv2.__version__}")
            return answer
    say(LOGGER, f"asked by numpy, because OpenCV computes otherwise: {why}")
    return lambda tensors: run_net(model.net, tensors)
