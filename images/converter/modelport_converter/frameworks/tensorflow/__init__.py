"""TensorFlow and Keras, which read these variables when they are imported."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["KERAS_HOME"] = os.devnull  # settings of a user change what a model computes
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
