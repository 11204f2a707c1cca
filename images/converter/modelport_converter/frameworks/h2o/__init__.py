"""H2O: MOJOs are read by our own reader where they are looked at, and answered by H2O's own scorer."""
