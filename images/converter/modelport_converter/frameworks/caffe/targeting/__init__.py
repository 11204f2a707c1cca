"""What a graph of ONNX becomes: Caffe's layers, in the dialect that OpenCV reads or in BVLC's."""
