"""The soak test: clients that behave and clients that do not, for long, on servers that come and go."""
