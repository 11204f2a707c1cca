"""What stands for classes that are not here: their state is kept, and none of their code is run."""

import functools
from typing import Any, Self


class Foreign:
    """An object whose class is not here; attributes are what its pickle says."""

    def __new__(cls, *arguments: Any, **_: Any) -> Self:
        """Take whatever it is given."""
        made = super().__new__(cls)
        vars(made)["arguments"] = arguments
        return made

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Take whatever it is given."""

    def __setstate__(self, state: Any) -> None:
        """Keep the state: attributes, or a tuple of two such dicts."""
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, dict):
                vars(self).update({str(key): value for key, value in part.items()})

    def append(self, item: Any) -> None:
        """Take an item, as lists do."""
        vars(self).setdefault("items", []).append(item)

    extend = append

    def __setitem__(self, key: Any, value: Any) -> None:
        """Take an item, as dicts do."""
        vars(self).setdefault("pairs", []).append((key, value))


@functools.cache
def stand_in(module: str, name: str) -> type[Foreign]:
    """Return the class that stands for another one."""
    return type(name.rpartition(".")[2], (Foreign,), {"__module__": module})


def name_of(thing: object) -> str:
    """Return module and name of what an object is an instance of."""
    return f"{type(thing).__module__}.{type(thing).__name__}"
