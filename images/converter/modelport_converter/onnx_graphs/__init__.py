"""ONNX graphs, for every framework that writes them."""
