"""Caffe's nets, as OpenCV's module for deep networks runs them."""
