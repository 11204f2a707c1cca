"""Declarations found by their files: a framework or a runtime is there because its file is."""

import importlib
import pkgutil
from types import ModuleType
from typing import TypeVar

Declared = TypeVar("Declared")


def find_declared(package: ModuleType, constant: str, kind: type[Declared]) -> dict[str, Declared]:
    """Return what the modules of a package declare under the name of a constant, by name of the module, in order.

    Raises TypeError for a module that declares nothing, or something of another name than its own.
    """
    found = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(package.__path__)):
        declared = getattr(importlib.import_module(f"{package.__name__}.{name}"), constant, None)
        if not isinstance(declared, kind) or getattr(declared, "name", "") != name:
            message = (
                f"{package.__name__}.{name}: expected {constant}, a {kind.__name__} named {name}, found {declared!r}"
            )
            raise TypeError(message)
        found[name] = declared
    return found
