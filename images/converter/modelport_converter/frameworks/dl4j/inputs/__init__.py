"""What the inputs of a network are: the file names them at most, and its layers tell the rest."""
