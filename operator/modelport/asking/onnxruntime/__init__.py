"""ONNX Runtime's sessions."""
