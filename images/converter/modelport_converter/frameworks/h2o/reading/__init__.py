"""What is in H2O's files, as far as it is read without H2O."""
