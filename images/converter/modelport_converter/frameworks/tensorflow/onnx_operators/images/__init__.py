"""Operators on images, whose channels ONNX has second and TensorFlow last."""
