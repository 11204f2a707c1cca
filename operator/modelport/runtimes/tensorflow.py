"""TensorFlow serves SavedModels."""

from modelport.conversion.base import Runtime

RUNTIME = Runtime("tensorflow", "TensorFlow", ("tensorflow-saved-model",))
