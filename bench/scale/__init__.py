"""Thousands of resources on the embedded cluster, whose Jobs run on a Node that is none: `make bench-scale`."""
