"""Models asked by one piece of code: as a source in a converter's image, and as a candidate in a server's."""
