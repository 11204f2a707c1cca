"""A MOJO, opened: typed values of its description, and its files. Text of values: hex.genmodel.utils.ParseUtils."""

import re
from itertools import pairwise
from typing import NamedTuple, NoReturn

import numpy as np

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array
from modelport_converter.frameworks.h2o.reading.archives import Files
from modelport_converter.frameworks.h2o.reading.mojo import NONE, Mojo

REAL = re.compile(r"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|Infinity)|NaN")
BOTH = 2
MAX_NUMBERS = 1 << 28
"""Of one value."""


class Learned(NamedTuple):
    """The description of a model, and the files beside it."""

    mojo: Mojo
    files: Files

    @property
    def version(self) -> float:
        """Version of the algorithm's part, such as 1.4. Raises ValueError."""
        return self.real("mojo_version")

    @property
    def width(self) -> int:
        """Numbers of a row."""
        return self.mojo.number("n_features")

    @property
    def classes(self) -> int:
        """How many there are; 1 of other models."""
        return self.count("n_classes", most=100_000)

    @property
    def is_of_two(self) -> bool:
        """Whether there are two classes, so that one number tells of both."""
        return self.classes == BOTH

    def domain(self, feature: int) -> tuple[str, ...] | None:
        """Return the levels of a column, or None if it has numbers."""
        return self.mojo.domains.get(feature)

    def has(self, key: str) -> bool:
        """Whether there is a value."""
        return self.mojo.info.get(key, NONE) != NONE

    def text(self, key: str) -> str:
        """Return a value. Raises ValueError."""
        if not self.has(key):
            raise ValueError(f"no {key}")
        return self.mojo.info[key]

    def flag(self, key: str, otherwise: bool | None = None) -> bool:
        """Return a truth value; `otherwise`, if it is told, where there is none. Raises ValueError."""
        if otherwise is not None and not self.has(key):
            return otherwise
        found = self.text(key)
        if found not in ("true", "false"):
            raise ValueError(f"{key} = {found:.40}")
        return found == "true"

    def count(self, key: str, otherwise: int | None = None, *, most: int = 2**31 - 1) -> int:
        """Return a whole number from 0 to `most`. Raises ValueError."""
        if otherwise is not None and not self.has(key):
            return otherwise
        self.text(key)
        found = self.mojo.number(key)
        if not 0 <= found <= most:
            raise ValueError(f"{key} = {found}")
        return found

    def real(self, key: str, otherwise: float | None = None) -> float:
        """Return a number. Raises ValueError."""
        if otherwise is not None and not self.has(key):
            return otherwise
        return _real(key, self.text(key))

    def numbers(self, key: str, length: int | None = None) -> Array:
        """Return an array, float64 [length]; an empty one where there is none. Raises ValueError."""
        found = self.text(key) if self.has(key) else "[]"
        if not (found.startswith("[") and found.endswith("]")) or found.count(",") >= MAX_NUMBERS:
            raise ValueError(f"{key} = {found:.40}")
        parts = found[1:-1].split(",") if found[1:-1].strip() else []
        values = np.array([_real(key, part.strip()) for part in parts], np.float64)
        if length is not None and len(values) != length:
            raise ValueError(f"{key} of {len(values)} numbers where {length} are due")
        return values

    def whole_numbers(self, key: str, length: int | None = None) -> list[int]:
        """Return an array of whole numbers. Raises ValueError."""
        found = self.numbers(key, length)
        if not np.all(np.isfinite(found)) or np.any(found != np.floor(found)) or np.any(abs(found) >= 2**31):
            raise ValueError(f"{key} with {found[:3]}")
        return [int(each) for each in found]

    def offsets(self, key: str, count: int) -> list[int]:
        """Return where each of so many parts begins, and the last one ends: whole numbers from 0 on that rise. Raises ValueError."""
        found = self.whole_numbers(key) if count else [0]
        if len(found) != count + 1 or found[0] != 0 or any(a > b for a, b in pairwise(found)):
            raise ValueError(f"{key} = {found[:4]}")
        return found

    def lines(self, name: str, count: int) -> list[str]:
        """Return the lines of a file, without what is around them. Raises ValueError."""
        text = self.files.read(name).decode()
        found = [_unescaped(line).strip() for line in re.split(r"\r\n|\n|\r", text)]
        found = found[:-1] if found[-1] == "" and len(found) == count + 1 else found
        if len(found) != count:
            raise ValueError(f"{len(found)} lines in {name:.40} where {count} are due")
        return found

    def check_version(self, newest: float) -> None:
        """Refuse a model that is newer than what is known here. Raises ValueError and ModelportError."""
        if self.version > newest:
            self.refuse(f"mojo_version {self.version:g}: expected at most {newest:g}")

    def refuse(self, what: str) -> NoReturn:
        """Refuse what is not written as ONNX, by name. Raises ModelportError (ConversionFailed)."""
        message = (
            f"{self.mojo.algorithm:.40}: {what}; ask for target h2o-mojo, which serves the model by H2O's own scorer"
        )
        raise ModelportError(Reason.CONVERSION_FAILED, message)


def _real(key: str, text: str) -> float:
    if not REAL.fullmatch(text):
        raise ValueError(f"{key:.40} with {text:.40}")
    return float(text.replace("Infinity", "inf"))


def _unescaped(level: str) -> str:
    return re.sub(r"\\(.?)", lambda found: {"n": "\n", "r": "\r"}.get(found[1], found[1]), level)
