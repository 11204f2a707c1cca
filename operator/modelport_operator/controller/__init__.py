"""Events in, keys out: the queue, its workers, and the one function that they run."""
