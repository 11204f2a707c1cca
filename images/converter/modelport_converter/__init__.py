"""The steps of Import and Convert: moving, inspecting and converting models."""
