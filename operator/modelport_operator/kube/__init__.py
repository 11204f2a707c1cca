"""The Kubernetes API, and nothing that decides: a thin layer over the official asynchronous client."""
