"""What the operator would do about a manifest, by the operator's own plan: nothing here decides a second time."""
