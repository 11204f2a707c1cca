"""Transformers of scikit-learn: a table becomes another table."""
