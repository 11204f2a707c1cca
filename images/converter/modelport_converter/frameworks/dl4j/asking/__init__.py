"""DL4J itself, on the JVM, over pipes."""
