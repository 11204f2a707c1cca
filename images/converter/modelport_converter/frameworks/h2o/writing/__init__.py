"""What genmodel computes with a row, written as ONNX: a module for each kind of algorithm."""
