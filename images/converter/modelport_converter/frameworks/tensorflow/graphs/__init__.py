"""Models that are stored as graphs, and what graphs need so that tf2onnx looks into all of them."""
