"""What options change in an ONNX model: its operator set, its precision, what a reader of it knows."""
