"""The command `serve`: an artifact on disk becomes a server."""
