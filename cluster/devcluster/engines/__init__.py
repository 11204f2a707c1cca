"""What autoscaling stands on, as real as the cluster itself: metrics-server, KEDA and Prometheus, for the tests of it."""
