"""ONNX graphs in the form that TVM's frontend reads rightly."""
