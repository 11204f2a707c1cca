"""Operators on tensors of any meaning: shapes, elements, indices, reductions."""
