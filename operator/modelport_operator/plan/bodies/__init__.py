"""The objects that a plan asks for are made of these: metadata, pods, their resources and nodes; and Jobs."""
