"""TensorFlow serves SavedModels, and models as Keras writes them."""

from modelport.conversion.base import Runtime

RUNTIME = Runtime("tensorflow", "TensorFlow", ("keras", "keras-h5", "keras-json-weights", "tensorflow-saved-model"))
