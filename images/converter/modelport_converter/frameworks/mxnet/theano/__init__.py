"""Theano: pickled functions and graphs."""
