"""Models of all formats opened and asked; ask and hops share it."""
