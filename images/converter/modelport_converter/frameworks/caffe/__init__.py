"""Caffe: prototxt and caffemodel, in the dialects of BVLC, SSD and OpenCV."""
