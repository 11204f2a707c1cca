"""What the watches bring: events become knowledge and keys, and what they miss is found."""
