"""Operators that are written here, because paddle2onnx refuses them or writes something else than Paddle computes."""
