"""From a graph to a library: TVM's frontend, its compiler, and the search for faster code."""
