"""REST of the Open Inference Protocol v2: HTTP in, the data plane's answers out."""
