"""OpenCV reads the same two files by its own importer, and answers for the layers that it computes as Caffe does.

A randomized comparison of each layer with Caffe's formulas found those that it does not (tests/converters/caffe); a net with
one of them is not asked of it at all.
"""

import cv2
import numpy as np

from modelport.asking.opencv.detections import order_detections
from modelport.verification.arrays import Array, Tensors
from modelport.verification.calls import Infer
from modelport_converter.frameworks.caffe.layers import detecting
from modelport_converter.frameworks.caffe.layers.net import Step
from modelport_converter.frameworks.caffe.model import Model


def open_in_opencv(model: Model) -> Infer:
    """Return what asks OpenCV.

    Raises cv2.error where OpenCV does not read or compute the model; what is returned raises IndexError and ValueError, too,
    where answers are missing or of another shape.
    """
    reader = cv2.dnn.readNetFromCaffe(str(model.architecture), str(model.weights))
    reader.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    reader.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
    # layers as they are written: joined ones round otherwise, and a Slice before the maximum of an Eltwise is joined wrongly
    reader.enableFusion(False)
    reader.enableWinograd(False)
    makers = {top: (step, number) for step in model.net.steps for number, top in enumerate(step.tops)}
    asked = {name: makers[name] for name in model.net.outputs}
    layers = list(dict.fromkeys(step.layer.name for step, _ in asked.values()))

    def run(tensors: Tensors) -> Tensors:
        for name, array in tensors.items():
            reader.setInput(np.ascontiguousarray(array), name)
        found = dict(zip(layers, reader.forwardAndRetrieve(layers), strict=True))
        images = len(next(iter(tensors.values())))
        return {
            name: _as_caffe(step, number, found[step.layer.name][number], images)
            for name, (step, number) in asked.items()
        }

    return run


def _as_caffe(step: Step, number: int, array: Array, images: int) -> Array:
    """Return an answer in the form that Caffe gives it: of its own memory, which OpenCV uses again."""
    if isinstance(step.operator, detecting.Detect):
        return order_detections(array, images)
    shape = tuple(images if isinstance(each, str) else each for each in step.top_shapes[number])
    if [each for each in shape if each != 1] != [each for each in array.shape if each != 1]:
        raise ValueError(f"{step.layer.name}: expected {shape}, found {array.shape}")
    return np.array(array, np.float32, copy=True).reshape(shape)
