"""The description of a MOJO: model.ini and the domains of its columns.

Format: hex.genmodel.ModelMojoReader (h2o-genmodel 3.46). Sections [info] (`key = value`), [columns] (a name a line, inputs
first, the response last) and [domains] (`column: count file`); a domain's file has a level a line.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.frameworks.h2o import INI
from modelport_converter.frameworks.h2o.reading.archives import Files, open_mojo

ENTRY = re.compile(r"(\d{1,9}):\s*(\d{1,9}) (\S+)")
SECTIONS = ("[info]", "[columns]", "[domains]")
NONE = "null"
NAMES = {
    "Gradient Boosting Method": "gbm",
    "Gradient Boosting Machine": "gbm",
    "Distributed Random Forest": "drf",
    "Generalized Linear Modeling": "glm",
    "Generalized Linear Model": "glm",
    "K-means": "kmeans",
    "Deep Learning": "deeplearning",
    "deep learning": "deeplearning",
}
"""Short names of algorithms of whose MOJOs some are older than the key `algo` (ModelMojoFactory.java)."""
MAX_COLUMNS = 100_000
MAX_LEVELS = 10_000_000


class Mojo(NamedTuple):
    """What the description says."""

    info: Mapping[str, str]
    """By key; `null` where there is none."""
    columns: tuple[str, ...]
    """All names: inputs first, then what training needed beside them (weights, folds, offset), the response last."""
    domains: Mapping[int, tuple[str, ...]]
    """Levels of the columns that have some, by index, in the model's order."""

    @property
    def algorithm(self) -> str:
        """Short name, such as gbm; of an old file without one that it is not known of, the long one."""
        if "algo" in self.info:
            return self.info["algo"]
        return NAMES.get(self.info["algorithm"], self.info["algorithm"])

    @property
    def category(self) -> str:
        """Kind of answers: a name of hex.ModelCategory."""
        return self.info["category"]

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the inputs, as the model has them in its rows."""
        return self.columns[: self.number("n_features")]

    @property
    def offset(self) -> str | None:
        """Name of the column that is added to each answer before the link."""
        name = self.info.get("offset_column", NONE)
        return None if name == NONE else name

    def number(self, key: str) -> int:
        """Return a whole number. Raises ValueError."""
        text = self.info[key]
        if not re.fullmatch(r"-?\d{1,18}", text):
            raise ValueError(f"{key} = {text:.40}")
        return int(text)


def read_mojo(path: Path) -> Mojo:
    """Return the description of a MOJO. Raises ModelportError (SourceCorrupt, UnsafeSource)."""
    with open_mojo(path) as files:
        try:
            return _read(files)
        except (ValueError, LookupError) as error:
            message = f"{path.name:.100}: expected the description of a MOJO in {INI}, found {error!s:.200}"
            raise ModelportError(Reason.SOURCE_CORRUPT, message) from error


def _read(files: Files) -> Mojo:
    info: dict[str, str] = {}
    columns: list[str] = []
    entries: dict[int, tuple[int, str]] = {}
    section = ""
    for line in map(str.strip, files.read(INI).decode().split("\n")):
        if line in SECTIONS:
            section = line
        elif line and not line.startswith("#"):
            if section == "[info]":
                key, mark, value = line.partition("=")
                _check(bool(mark), f"a line of [info] without =: {line:.60}")
                info[key.strip()] = value.strip()
            elif section == "[columns]":
                columns.append(line)
            else:
                found = ENTRY.fullmatch(line)
                _check(section == "[domains]" and found is not None, f"a line of no section: {line:.60}")
                assert found
                entries[int(found[1])] = int(found[2]), found[3]
    mojo = Mojo(info, tuple(columns), {})
    _check("algo" in info or "algorithm" in info, "no algo")
    for key in ("category", "mojo_version"):
        _check(key in info, f"no {key}")
    _check(
        len(columns) == mojo.number("n_columns") <= MAX_COLUMNS,
        f"{len(columns)} names where n_columns = {info['n_columns']:.20}",
    )
    _check(
        0 <= mojo.number("n_features") <= len(columns), f"n_features = {info['n_features']} of {len(columns)} columns"
    )
    is_escaped = info.get("escape_domain_values") == "true"
    domains = {
        column: _read_domain(files, count, name, is_escaped=is_escaped)
        for column, (count, name) in entries.items()
        if column < len(columns)  # the reader of H2O passes over others, too
    }
    return mojo._replace(domains=domains)


def _read_domain(files: Files, count: int, name: str, *, is_escaped: bool) -> tuple[str, ...]:
    _check(count <= MAX_LEVELS, f"a domain of {count} levels")
    levels = _lines(files.read(f"domains/{name}").decode()) if count else []
    _check(len(levels) == count, f"{len(levels)} levels in domains/{name:.40} where {INI} says {count}")
    return tuple(map(_unescaped, levels) if is_escaped else levels)


def _lines(text: str) -> list[str]:
    """Return lines as Java reads them: they end with a line feed, a carriage return or both, and nothing else."""
    lines = re.split(r"\r\n|\n|\r", text)
    return lines[:-1] if lines[-1] == "" else lines


def _unescaped(level: str) -> str:
    """Undo hex.genmodel.utils.StringEscapeUtils.escapeNewlines."""
    return re.sub(r"\\(.?)", lambda found: {"n": "\n", "r": "\r"}.get(found[1], found[1]), level)


def _check(is_right: bool, found: str) -> None:
    if not is_right:
        raise ValueError(found)
