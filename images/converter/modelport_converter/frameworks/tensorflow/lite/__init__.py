"""Flatbuffers of TensorFlow Lite, now LiteRT: read, asked, and taken apart for ONNX."""
