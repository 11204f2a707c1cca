"""Layers become nodes of ONNX."""
