"""MXNet's symbols: a graph in JSON, and its parameters."""
