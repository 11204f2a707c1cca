"""What a model does with its inputs, seen while it answers."""
