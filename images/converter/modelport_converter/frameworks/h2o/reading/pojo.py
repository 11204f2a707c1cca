"""A POJO as a text: what class it is, and which numbers its trees compare with. Nothing of it is run."""

import re
from pathlib import Path

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.frameworks.h2o import CLASS

MAX_BYTES = 1 << 30
COMPARISON = re.compile(rb"\bdata\[(\d{1,6})[^\]\n]{0,300}\]\s*<\s*(-?\d[\d.]{0,60}(?:E-?\d{1,3})?)f?\b")
"""A split of a tree of numbers: `data[2 /* visits */] < 5.5f` (hex.tree.TreeJCodeGen)."""


def read_pojo(path: Path) -> bytes:
    """Return the source. Raises ModelportError (SourceCorrupt) for what is no model."""
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES or b"\0" in content or not CLASS.search(content):
        message = f"{path.name:.100}: expected the source of a class that extends hex.genmodel.GenModel, found {len(content)} bytes without one"
        raise ModelportError(Reason.SOURCE_CORRUPT, message)
    return content


def find_thresholds(source: bytes) -> dict[int, tuple[float, ...]]:
    """Return what trees compare each column with, by its index in a row."""
    found: dict[int, set[float]] = {}
    for column, number in COMPARISON.findall(source):
        found.setdefault(int(column), set()).add(float(number))
    return {column: tuple(sorted(numbers)) for column, numbers in found.items()}
