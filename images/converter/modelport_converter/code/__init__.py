"""Code that comes with a model, for every framework: on the import path, found by name, and called."""
