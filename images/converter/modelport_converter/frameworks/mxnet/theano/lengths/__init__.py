"""Lengths of axes: which are the same, and which ones the inputs of a program may have."""
