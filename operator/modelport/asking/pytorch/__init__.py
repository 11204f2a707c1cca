"""PyTorch's programs, scripts and generated modules."""
