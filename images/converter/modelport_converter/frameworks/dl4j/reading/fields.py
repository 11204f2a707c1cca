"""Fields of a configuration, of the type that is asked for: JSON that strangers wrote."""

import math
from collections.abc import Iterator
from typing import NoReturn

from modelport.api.reasons import Reason
from modelport.errors import ModelportError

CLASS = "@class"
MAX_LENGTH = 1 << 31
"""DL4J's lengths are positive numbers of Java's int."""
MAX_CHARACTERS = 100


def corrupt(message: str) -> ModelportError:
    """Return the error for a file that is not what its format says."""
    return ModelportError(Reason.SOURCE_CORRUPT, message)


class Fields:
    """An object of JSON, and where it stands. All methods raise ModelportError (SourceCorrupt)."""

    def __init__(self, value: object, where: str) -> None:
        self.where = where
        if not isinstance(value, dict):
            self._refuse("an object", value)
        self._values: dict[str, object] = value

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def names(self) -> Iterator[str]:
        """Return the names of all fields, in the order of the file."""
        return iter(self._values)

    def get(self, *names: str) -> object:
        """Return the value of the first of these fields that is there, null where none is."""
        return next((self._values[name] for name in names if self._values.get(name) is not None), None)

    def inner(self, *names: str) -> "Fields":
        """Return an object within."""
        return Fields(self.get(*names), f"{self.where}.{names[0]}")

    def items(self, name: str) -> list[object]:
        """Return a list."""
        value = self.get(name)
        return value if isinstance(value, list) else self._refuse("a list", value, name)

    def texts(self, name: str) -> list[str]:
        """Return a list of texts."""
        return [each if isinstance(each, str) else self._refuse("texts", each, name) for each in self.items(name)]

    def text(self, name: str, default: str = "") -> str:
        """Return a text."""
        value = self.get(name)
        return default if value is None else value if isinstance(value, str) else self._refuse("a text", value, name)

    def flag(self, name: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self.get(name)
        if value is None:
            return default
        return value if isinstance(value, bool) else self._refuse("true or false", value, name)

    def number(self, name: str, default: float | None = None) -> float:
        """Return a number; DL4J writes those that are none as texts."""
        value = self.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
        return self._refuse("a number", value, name)

    def integer(self, *names: str, default: int | None = None) -> int:
        """Return an integer of at least 0."""
        value = self.get(*names)
        if value is None and default is not None:
            return default
        return self._integer(value, names[0])

    def length(self, *names: str) -> int:
        """Return a length: an integer of at least 1."""
        return self.integer(*names) or self._refuse("a length of at least 1", 0, names[0])

    def integers(self, name: str, count: int, default: int | None = None) -> tuple[int, ...]:
        """Return as many integers of at least 0; one alone stands for all of them."""
        value = self.get(name)
        if value is None and default is not None:
            return (default,) * count
        found = value if isinstance(value, list) else [value] * count
        if len(found) < count:
            found = found * count if len(found) == 1 else self._refuse(f"{count} integers", value, name)
        return tuple(self._integer(each, name) for each in found[:count])

    def lengths(self, name: str, count: int, default: int | None = None) -> tuple[int, ...]:
        """Return as many lengths."""
        found = self.integers(name, count, default)
        return found if all(found) else self._refuse("lengths of at least 1", list(found), name)

    def _integer(self, value: object, name: str) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_LENGTH:
            return value
        return self._refuse("an integer from 0 on", value, name)

    def _refuse(self, expected: str, value: object, name: str = "") -> NoReturn:
        where = f"{self.where}.{name}" if name else self.where
        shown = str(value).encode("ascii", "replace").decode()
        raise corrupt(f"{where:.{MAX_CHARACTERS}}: expected {expected}, found {shown:.{MAX_CHARACTERS}}")


def named(fields: Fields) -> tuple[str, Fields]:
    """Return class and fields of an object that has one of several classes.

    Since 1.0.0-beta a field tells the Java class; before, the object has one field, whose name tells it.
    """
    if CLASS in fields:
        return fields.text(CLASS).rpartition(".")[2].rpartition("$")[2], fields
    names = list(fields.names())
    if len(names) != 1:
        raise corrupt(f"{fields.where:.{MAX_CHARACTERS}}: expected one class, found {', '.join(names) or 'none':.200}")
    return names[0], fields.inner(names[0])
