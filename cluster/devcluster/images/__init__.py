"""The project's images: what they are made of, how they are built and how they reach containerd."""
