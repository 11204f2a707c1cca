"""The steps that run in converter images: one file each, in the order fetch, inspect, keep; stage, ask, hop, judge, publish."""
