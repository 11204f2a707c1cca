"""OpenCV's module for deep networks serves Caffe."""

from modelport.conversion.base import Runtime

RUNTIME = Runtime("opencv", "OpenCV DNN", ("caffe",))
