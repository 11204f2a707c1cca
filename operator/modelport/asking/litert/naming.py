"""What tensors of a LiteRT model are called: source (step ask) and candidate (step try) have the same names.

A signature names the tensors that go in and come out. A file without one has them by number, with the names that the
writer's compiler made of them.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

Details = Mapping[str, Any]
"""What the interpreter tells of a tensor."""
SERVING = "serving_default"


def name_details(details: Sequence[Details]) -> dict[str, Details]:
    """Return the tensors of a file without a signature by names of their own."""
    found: dict[str, Details] = {}
    for each in details:
        name = str(each["name"]).removesuffix(":0")
        found[f"{name}_{len(found)}" if name in found else name] = each
    return found


def name_output(name: str, inputs: Collection[str]) -> str:
    """Return the name of an output: another one where an input is called so."""
    return f"{name}_output" if name in inputs else name
