"""The machine under the cluster: its packages, its network, the programs that run on it."""
