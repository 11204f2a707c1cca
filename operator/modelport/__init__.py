"""What every part of Modelport shares: the resource, the contract between the parts, formats, runtimes and the store."""

__version__ = "0.1.0"
