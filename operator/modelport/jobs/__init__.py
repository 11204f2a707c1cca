"""What the operator and a Job say to each other: requests, results, keys, and the containers of a Job."""
