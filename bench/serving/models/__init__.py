"""What is served: models that are built here, and artifacts of them."""
