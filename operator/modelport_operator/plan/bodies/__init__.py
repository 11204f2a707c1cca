"""The objects that a plan asks for: Jobs, Deployment and Service, as the API server takes them."""
