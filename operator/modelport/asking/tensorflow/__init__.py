"""Keras' and TensorFlow's calls."""
