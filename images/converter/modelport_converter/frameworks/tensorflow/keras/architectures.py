"""Architectures as Keras writes them, in JSON: which of their parts would run code that came with the file."""

from typing import Any

CODE = "__lambda__"
"""Class of a function that Keras 3 wrote as marshalled bytecode."""
LAMBDA = "Lambda"
OWN = ("builtins", "keras", "tf_keras", "tensorflow")
"""Packages whose modules hold what Keras itself writes; others are imported, which runs them."""


def find_code(config: object) -> list[str]:
    """Return the layers that hold functions, or name modules that are not Keras' own, by name and what is in them."""
    found: dict[str, None] = {}
    parts = [(config, "model")]
    while parts:
        part, layer = parts.pop()
        if isinstance(part, list):
            parts += [(each, layer) for each in reversed(part)]
        elif isinstance(part, dict):
            layer = _name(part) or layer
            code = _code_of(part, layer)
            found |= dict.fromkeys(code)
            parts += [] if code else [(each, layer) for each in reversed(part.values())]
    return list(found)


def _name(part: dict[str, Any]) -> str:
    settings = part.get("config")
    name = settings.get("name") if isinstance(settings, dict) and "class_name" in part else None
    return name if isinstance(name, str) else ""


def _code_of(part: dict[str, Any], layer: str) -> list[str]:
    kind, module = part.get("class_name"), part.get("module")
    if kind in (LAMBDA, CODE):  # it may be a list, which is in no set
        return [f"a function in layer {layer:.60} ({LAMBDA})"]
    is_foreign = isinstance(kind, str) and isinstance(module, str) and module.partition(".")[0] not in OWN
    return [f"{module:.60}.{kind:.60} in layer {layer:.60}"] if is_foreign else []
