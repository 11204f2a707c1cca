"""Backends that do what no caller expects and some runtime does; what they compute is right. See `test_backend_contract`."""
