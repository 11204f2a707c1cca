"""The command line: the same conversions without a cluster, and the ways into and out of one."""
