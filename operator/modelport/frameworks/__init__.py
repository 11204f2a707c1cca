"""The frameworks that Modelport knows: each is one file here, which says what it is, and one folder in its image."""

import sys

from modelport.conversion.base import Converter, Format, Framework
from modelport.conversion.discovery import find_declared

FRAMEWORKS: dict[str, Framework] = find_declared(sys.modules[__name__], "FRAMEWORK", Framework)
FORMATS: dict[str, Format] = {each.name: each for framework in FRAMEWORKS.values() for each in framework.formats}
SOURCES: dict[str, Format] = {name: each for name, each in FORMATS.items() if each.detect}
"""Formats that a model can be given in."""
CONVERTERS: dict[str, Converter] = {
    each.name: each for framework in FRAMEWORKS.values() for each in framework.converters
}


def framework_of(name: str) -> Framework:
    """Return the framework that declares a format or a converter. Raises KeyError if none does."""
    for framework in FRAMEWORKS.values():
        if name in {each.name for each in framework.formats} | {each.name for each in framework.converters}:
            return framework
    raise KeyError(name)
