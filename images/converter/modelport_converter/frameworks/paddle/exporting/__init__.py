"""Writing of ONNX: paddle2onnx, and what it cannot write or writes wrong."""
