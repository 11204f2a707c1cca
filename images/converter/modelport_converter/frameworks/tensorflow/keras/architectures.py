"""Architectures as Keras writes them, in JSON: which of their parts would run code that came with the file."""

import builtins
import re
from typing import Any

CODE = "__lambda__"
"""Class of a function that Keras 3 wrote as marshalled bytecode."""
LAMBDA = "Lambda"
FOREIGN = {"TFSMLayer", "TorchModuleWrapper", "JaxLayer"}
"""Layers that hold a model of another library, or the path of one."""
OPERATIONS = {"TFOpLambda": "function", "SlicingOpLambda": "function", "ClassMethod": "cls_symbol"}
"""Layers of Keras 2 that call what TensorFlow has under the name in this setting, when they are built if nothing is fed."""
NODE = "TensorFlowOpLayer"
"""A layer of early Keras 2 that is an operator, written as TensorFlow writes it."""
OPERATOR = re.compile(
    r"""['"]?op['"]?: ['"](?!\w*(Dataset|Debug|File|Library|Print|Py|Queue|Reader|Record|Restore|Save|Summary))\w+['"]"""
)
"""In such a layer, one that computes."""
COMPUTING = re.compile(
    r"(compat\.v1\.)?("
    r"(__operators__|bitwise|dtypes|image|linalg|math|nn|quantization|ragged|random|sets|signal|sparse|strings)\.[\w.]+"
    r"|RaggedTensor|SparseTensor|debugging\.assert\w*|io\.(decode|parse)_\w+|keras\.(activations|backend|losses|metrics)\.\w+"
    r"|(?!load_|numpy_function|print$|py_)[a-z]\w*)"
)
"""Names in TensorFlow of what computes and does nothing else: not loading libraries, nor reading or writing files."""
OWN = ("builtins", "keras", "tf_keras", "tensorflow")
"""Packages whose modules hold what Keras itself writes; others are imported, which runs them."""


UNITS = "GRU"
DATED = "reset_after"
"""A setting of these layers that Keras before 2.1.3 did not write; it had but one way, which is not today's default."""


def date_units(config: object) -> bool:
    """State in an architecture what its age means and it does not say. Return whether there is such a thing."""
    found, parts = False, [config]
    while parts:
        part = parts.pop()
        if isinstance(part, list):
            parts += part
        elif isinstance(part, dict):
            parts += part.values()
            settings = part.get("config")
            if part.get("class_name") == UNITS and isinstance(settings, dict) and DATED not in settings:
                settings[DATED], found = False, True
    return found


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
    kind, module, settings = part.get("class_name"), part.get("module"), part.get("config")
    if kind in (LAMBDA, CODE):  # it may be a list, which is in no set
        return [f"a function in layer {layer:.60} ({LAMBDA})"]
    if not isinstance(kind, str):
        return []
    called = settings.get(OPERATIONS.get(kind, "")) if isinstance(settings, dict) else None
    if (
        kind in FOREIGN
        or (kind == NODE and not OPERATOR.search(str(settings)))
        or (kind in OPERATIONS and not COMPUTING.fullmatch(str(called)))
    ):
        return [f"{called or kind!s:.60} in layer {layer:.60} ({kind})"]
    name = settings if isinstance(settings, str) else kind
    if isinstance(module, str) and (module.partition(".")[0] not in OWN or "." in name or _is_pythons(module, name)):
        return [f"{module:.60}.{name:.60} in layer {layer:.60}"]
    return []


def _is_pythons(module: str, name: str) -> bool:
    """Whether a name is one of Python's own functions; Keras writes those of its own as if they were."""
    return module == builtins.__name__ and hasattr(builtins, name)
