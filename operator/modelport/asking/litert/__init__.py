"""TensorFlow Lite's signatures."""
