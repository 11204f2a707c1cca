"""Read what Caffe stores: the architecture as text, the weights as a message."""
