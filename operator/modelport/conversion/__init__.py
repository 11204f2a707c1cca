"""What a framework, a format, a converter and a runtime are, and how formats are told from files."""
