"""The JVM runtime beside H2O's own scorer: `make bench-h2o`."""
