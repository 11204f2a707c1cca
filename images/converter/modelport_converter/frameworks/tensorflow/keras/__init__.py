"""Models of Keras. What is in their files (`files`, `architectures`, `weights`) is read without it, in the image that looks at all formats."""
