"""Which of several operators works: the Lease that it holds, and what each tells the kubelet meanwhile."""
