"""What is in the files, read without MXNet."""
