"""ONNX Runtime serves ONNX."""

from modelport.conversion.base import Runtime

RUNTIME = Runtime("onnxruntime", "ONNX Runtime", ("onnx",))
