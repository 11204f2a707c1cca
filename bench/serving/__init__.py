"""The side-by-side benchmark of the inference server: `make bench-serving`, and its soak test: `make soak`.

Ours, MLServer and KServe serve the same models on 127.0.0.1 to the same clients, each with one worker and one thread of
ONNX Runtime. Everything that is not in the repository is installed into the user's cache, by its lock.
"""
