"""ONNX Runtime serves ONNX."""

from modelport.runtimes.base import Runtime

RUNTIME = Runtime("onnxruntime", "ONNX Runtime", ("onnx",), "server-onnxruntime")
