"""Architectures as Keras writes them, in JSON: which of their parts would run code that came with the file."""

from collections.abc import Iterator

CODE = "__lambda__"
"""Class of a function that Keras 3 wrote as marshalled bytecode."""
LAMBDA = "Lambda"
OWN = ("builtins", "keras", "tf_keras", "tensorflow")
"""Packages whose modules hold what Keras itself writes; others are imported, which runs them."""


def find_code(config: object) -> list[str]:
    """Return the layers that hold functions, or name modules that are not Keras' own, by name and what is in them."""
    return list(dict.fromkeys(_walk(config, "model")))


def _walk(part: object, layer: str) -> Iterator[str]:
    if isinstance(part, list):
        for each in part:
            yield from _walk(each, layer)
    if not isinstance(part, dict):
        return
    kind, settings, module = part.get("class_name"), part.get("config"), part.get("module")
    if isinstance(kind, str) and isinstance(settings, dict) and isinstance(settings.get("name"), str):
        layer = settings["name"]
    if kind in {LAMBDA, CODE}:
        yield f"a function in layer {layer:.60} ({LAMBDA})"
        return
    if isinstance(kind, str) and isinstance(module, str) and module.partition(".")[0] not in OWN:
        yield f"{module:.60}.{kind:.60} in layer {layer:.60}"
    for each in part.values():
        yield from _walk(each, layer)
