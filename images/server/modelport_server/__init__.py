"""The inference server: grpc/ and rest/ → dataplane/ → execution/ → backends/; and the steps fetch and try."""
