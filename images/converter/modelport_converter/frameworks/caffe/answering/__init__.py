"""Answers: by OpenCV where it computes as Caffe does, else by numpy."""
