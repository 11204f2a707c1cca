"""TVM: ONNX graphs compiled to machine code."""
