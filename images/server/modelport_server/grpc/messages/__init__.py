"""The protocol's messages: read and written, with tensors beside them that are not copied."""
