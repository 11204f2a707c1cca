"""What is in Keras' files, read without Keras: it runs in the image that looks at all formats."""
