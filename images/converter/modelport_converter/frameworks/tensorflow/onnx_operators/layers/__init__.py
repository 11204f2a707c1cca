"""Operators of layers: products, norms, recurrent ones, and those in bytes."""
