"""What writes the answers of a model that was read."""

from collections.abc import Callable

from modelport_converter.frameworks.h2o.writing.rows import Rows
from modelport_converter.tables.answers import Answers

Write = Callable[[Rows], Answers]
"""Adds what the model computes with rows to their graph, and returns its answers in the order of the scorer's outputs."""
