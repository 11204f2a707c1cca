"""What serving consists of: a list of objects, each made by one function, and what is to be done about them."""
