"""From code and weights to a model that answers."""
