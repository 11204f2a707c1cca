"""The zip that ModelSerializer writes: configuration.json and coefficients.bin, each number of them checked."""
