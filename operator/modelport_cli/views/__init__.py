"""What people read: the graph of formats, the stages of a resource, its measured errors."""
