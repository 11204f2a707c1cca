"""ONNX graphs as Python source of a module: layers of PyTorch where they mean the same, functions where they do not."""
