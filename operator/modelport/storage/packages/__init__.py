"""Packages as an image has them: what is left out of them."""
