"""When, where and by what the model runs."""
