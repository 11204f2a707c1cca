"""DeepLearning4j: networks as its ModelSerializer writes them, read by ourselves, and asked on the JVM."""
