"""The ways into a cluster and to its store: the user's kube context, credentials, and a forwarded port."""
