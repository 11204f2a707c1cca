"""What is told of requests: metrics, traces, the access log."""
