"""What REST and gRPC share: connections, their bounds, and who is answered together."""
