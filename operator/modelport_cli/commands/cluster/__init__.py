"""Commands that speak with a cluster, or with the store of one of its namespaces."""
