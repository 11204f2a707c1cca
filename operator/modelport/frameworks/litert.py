"""LiteRT's own converter from PyTorch: its programs become flatbuffers by way of neither ONNX nor TensorFlow."""

from modelport.conversion.base import Converter, Framework, Options

FRAMEWORK = Framework(
    "litert",
    "LiteRT",
    formats=(),
    # dearer than what leads there from ONNX through TensorFlow, which keeps more lengths free
    converters=(Converter("pytorch-export", "tflite", Options, cost=11),),
)
