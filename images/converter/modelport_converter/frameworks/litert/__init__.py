"""LiteRT, by its converter from PyTorch."""
