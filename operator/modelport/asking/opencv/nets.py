"""A net of Caffe in OpenCV, asked by the names of its blobs. Files are read here: OpenCV gets their content, and no paths."""

from pathlib import Path

import cv2
import numpy as np

from modelport.asking.opencv.blobs import find_answers, to_opencv
from modelport.asking.opencv.detections import order_detections
from modelport.verification.arrays import Tensors
from modelport.verification.calls import Infer

MAX_TEXT_BYTES = 16 << 20


def open_net(architecture: Path, weights: Path, *, winograd: bool) -> Infer:
    """Return what answers, for one caller at a time; `winograd`: whether convolutions may add in another order, twice as fast.

    Raises cv2.error and ValueError for what OpenCV does not read.
    """
    if architecture.stat().st_size > MAX_TEXT_BYTES:
        raise ValueError(f"expected at most {MAX_TEXT_BYTES} bytes of text, found more")
    text = architecture.read_text(encoding="utf-8")
    inputs, answers = find_answers(text)
    net = cv2.dnn.readNetFromCaffe(
        np.frombuffer(to_opencv(text).encode(), np.uint8), np.frombuffer(weights.read_bytes(), np.uint8)
    )
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    net.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
    # joined layers are no faster, and some are wrong: a Power behind another one, a maximum of a Slice, a scale of what is reshaped
    net.enableFusion(False)
    net.enableWinograd(winograd)
    layers = list(dict.fromkeys(each.layer for each in answers.values()))

    def run(tensors: Tensors) -> Tensors:
        for name in inputs:
            net.setInput(tensors[name], name)
        found = dict(zip(layers, net.forwardAndRetrieve(layers), strict=True))
        given = {name: found[each.layer][each.number] for name, each in answers.items()}
        images = len(tensors[inputs[0]])
        return {
            name: order_detections(array, images) if answers[name].is_detections else array
            for name, array in given.items()
        }

    return run
