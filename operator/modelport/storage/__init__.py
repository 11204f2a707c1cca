"""Bytes at rest: files and archives, locations of users, the namespace's store, and the manifests in it."""
