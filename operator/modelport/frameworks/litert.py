"""LiteRT's own converter from PyTorch: its programs become flatbuffers by way of neither ONNX nor TensorFlow."""

from modelport.conversion.base import Converter, Framework, Options

FRAMEWORK = Framework(
    "litert",
    "LiteRT",
    formats=(),
    converters=(Converter("pytorch-export", "tflite", Options, cost=10),),
)
