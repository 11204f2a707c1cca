"""What layers compute: parameters in typed form, and the shapes that follow from them."""
