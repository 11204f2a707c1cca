"""LiteRT, once TensorFlow Lite, serves its flatbuffers."""

from modelport.conversion.base import Runtime

RUNTIME = Runtime("litert", "LiteRT", ("tflite",))
