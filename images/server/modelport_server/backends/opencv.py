"""OpenCV DNN: a net of Caffe, of its text and its weights.

A net has its blobs as its own, for one run at a time. It makes them anew where inputs have other lengths than in the run before.
Threads are of the whole process.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import cv2
from google.protobuf.text_format import ParseError

from modelport.api.reasons import Reason
from modelport.asking.opencv.nets import open_net
from modelport.errors import ModelportError, describe_error
from modelport.verification.calls import Infer
from modelport_server.backends.base import DEFAULT, How, LoadOptions, Traits

TYPES = frozenset({"float32"})
TRAITS = Traits(
    platform="opencv_caffe",
    takes=TYPES,
    gives=TYPES,
    keeps_outputs=True,  # they are copied out of its blobs
    writes_inputs=False,  # it copies them into its blobs
    alignment=1,
)
CONVOLUTION = "convolution"
WAYS: tuple[LoadOptions, ...] = (
    DEFAULT,
    {CONVOLUTION: "plain"},  # without Winograd's way, which rounds otherwise
)
ARCHITECTURE, WEIGHTS = ".prototxt", ".caffemodel"
UNKNOWN = re.compile(r"Can't create layer \"([^\"]+)\" of type \"([^\"]+)\"")


def load(folder: Path, files: Sequence[str], how: How) -> Infer:
    """Load the one net. Raises ModelportError (RuntimeUnsupported)."""
    texts, weights = ([name for name in files if name.endswith(suffix)] for suffix in (ARCHITECTURE, WEIGHTS))
    if (len(texts), len(weights)) != (1, 1):
        message = f"expected one *{ARCHITECTURE} and one *{WEIGHTS}, found {', '.join(files):.200}"
        raise ModelportError(Reason.VERIFICATION_FAILED, message)
    cv2.setNumThreads(how.threads)
    try:
        return open_net(folder / texts[0], folder / weights[0], winograd=CONVOLUTION not in how.options)
    except (cv2.error, ParseError, ValueError) as error:
        raise ModelportError(Reason.RUNTIME_UNSUPPORTED, _explain(error)) from error


def _explain(error: Exception) -> str:
    found = UNKNOWN.search(str(error))
    if found:
        return f"OpenCV has no layer of type {found[2]:.60} (layer {found[1]:.60})"
    return f"OpenCV does not load the net: {describe_error(error)}"
