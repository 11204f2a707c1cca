"""What a pickle holds becomes a program: a graph of Theano's as version 1.0 would have built it."""
