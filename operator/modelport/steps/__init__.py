"""What every step of a Job uses: the runner, its sandbox, and the files that steps leave for each other."""
