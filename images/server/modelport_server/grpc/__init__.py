"""gRPC of the Open Inference Protocol v2: messages in, the data plane's answers out.

`service` answers methods and knows no transport; `application` is its transport over `http2`, `fallback` the one by
grpcio.
"""
