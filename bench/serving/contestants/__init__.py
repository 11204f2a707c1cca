"""Who is measured: our server as shipped, its peers, and the runtime alone."""
