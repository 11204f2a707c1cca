"""Architectures that Keras 3 wrote into HDF5, as its .keras archives have them: each class with its module.

There it leaves the modules out, and reads what it wrote as if Keras 2 had: without operators on tensors, such as a sum
or a mask, and with a layer for an operator of the same name.
"""

from importlib import import_module
from typing import Any

OPERATIONS = tuple(f"keras.src.ops.{name}" for name in ("numpy", "core", "math", "nn", "linalg", "image"))
FUNCTIONAL = "keras.src.models.functional"
CLASSES = ("keras.layers", "keras", FUNCTIONAL)
OF_LAYERS = {"trainable", "batch_shape"}
"""Settings that every layer has, and no operator."""


def name_modules(part: Any) -> Any:
    """Return an architecture with the module of each class of Keras, where none is said."""
    if isinstance(part, list):
        return [name_modules(each) for each in part]
    if not isinstance(part, dict):
        return part
    named = {key: name_modules(value) for key, value in part.items()}
    kind, settings = part.get("class_name"), part.get("config")
    if not isinstance(kind, str) or not isinstance(settings, dict) or "module" in part:
        return named
    is_operation = not OF_LAYERS & set(settings) and "layers" not in settings
    places = OPERATIONS if is_operation else CLASSES
    module = next((each for each in places if hasattr(import_module(each), kind)), None)
    registered = kind if module in {FUNCTIONAL, *OPERATIONS} else None
    return named | {"module": module, "registered_name": registered} if module else named
