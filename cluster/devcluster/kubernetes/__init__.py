"""The cluster: its parts, what they are configured with, and how they are started and stopped."""
