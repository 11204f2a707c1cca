"""Reading of Paddle's files without Paddle: bounded, and nothing in them is run."""
