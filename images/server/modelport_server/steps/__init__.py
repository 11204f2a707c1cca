"""The steps that run in server images: try, in the Jobs of a conversion, and fetch, before a server."""
