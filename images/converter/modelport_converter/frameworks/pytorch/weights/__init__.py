"""Weights as torch.save writes them, read without running anything of them."""
