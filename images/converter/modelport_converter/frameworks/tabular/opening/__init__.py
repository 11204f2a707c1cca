"""Models of tables as they are opened, and asked."""
