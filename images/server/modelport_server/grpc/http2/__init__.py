"""HTTP/2 (RFC 9113) for servers, without what gRPC has no use for: no push, no priorities, no upgrade from HTTP/1.1."""
