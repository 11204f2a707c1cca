"""Conversions without a cluster: the same steps as local processes, one isolated environment per image lock."""
