"""Layers with weights, and pooling."""
