"""What a request asks and is answered, whatever transport brought it."""
