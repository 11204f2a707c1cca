"""Operators on places of images."""
