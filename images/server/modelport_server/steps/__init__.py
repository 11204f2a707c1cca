"""The steps that run in server images: verify, in the Jobs of a conversion, and fetch, before a server."""
