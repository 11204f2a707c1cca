"""What algorithms of H2O learned, read out of a MOJO: bounded, typed, and without running anything."""
