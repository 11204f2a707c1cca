"""What a graph does with its inputs: which values the samples should have."""
