"""Open Inference Protocol v2: its messages, and tensors in them."""
