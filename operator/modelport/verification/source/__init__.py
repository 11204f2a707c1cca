"""The source model answers: its reference, its own noise, and samples of the user's own."""
