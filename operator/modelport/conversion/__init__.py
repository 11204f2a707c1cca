"""What a framework, a format, a converter and a runtime are, and the paths that converters make."""
