"""TensorFlow: SavedModels by one of their signatures, and models of Keras by the Keras that wrote them."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["KERAS_HOME"] = os.devnull  # settings of a user change what a model computes
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what fails is raised, too
import tensorflow as tf  # noqa: F401  # step try lets it be loaded while it waits

from modelport.api.reasons import Reason
from modelport.errors import ModelportError, describe_error, lacks_memory
from modelport.verification.calls import Infer
from modelport_server.backends.base import DEFAULT, DTYPES, How, LoadOptions, Traits
from modelport_server.backends.tensorflow.saved_models import FILE, VARIABLES, WEIGHTS, load_saved_model
from modelport_server.backends.tensorflow.sessions import OPTIMIZATION

logging.getLogger("tensorflow").setLevel(logging.ERROR)  # of ways that are old, and that its own server goes

TRAITS = Traits(
    platform="tensorflow_savedmodel",
    takes=DTYPES,
    gives=DTYPES,
    takes_bytes=True,
    is_shared=True,
    keeps_outputs=True,
    writes_inputs=False,
    alignment=0,
)
WAYS: tuple[LoadOptions, ...] = (
    DEFAULT,
    {WEIGHTS: VARIABLES},  # as they are stored; constants can be folded into what uses them
    {WEIGHTS: VARIABLES, OPTIMIZATION: "none"},
)


def load(folder: Path, files: Sequence[str], how: How) -> Infer:
    """Load the model of these files. Raises ModelportError (RuntimeUnsupported)."""
    found = [folder / name for name in files if name.rpartition("/")[2] == FILE]
    if len(found) > 1:
        raise ModelportError(Reason.VERIFICATION_FAILED, f"expected one {FILE}, found {', '.join(files):.200}")
    try:
        if found:
            return load_saved_model(found[0], how)
        from modelport_server.backends.tensorflow.keras import load_keras  # both libraries take their time

        return load_keras([folder / name for name in files], how)
    except Exception as error:  # of no common base
        if isinstance(error, ModelportError) or lacks_memory(error):
            raise
        message = f"TensorFlow does not load the model: {describe_error(error).replace(str(folder), '')}"
        raise ModelportError(Reason.RUNTIME_UNSUPPORTED, message) from error
