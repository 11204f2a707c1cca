"""The inference server: transport (rest/) → protocol/ → data plane → backends/, and the steps verify and fetch."""
