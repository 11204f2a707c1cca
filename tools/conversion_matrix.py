"""The conversion matrix: what was expected of each model in each form, what was measured, and the page of both.

`make matrix` measures and writes rows; the page follows from the data alone, so that `make verify` can compare it. A row
bears the digest of the converter that made it, a hash of all that its image is made of. Rows of an older converter are
listed and fail nothing: shared code is part of every image, and a change of it would ask for hours of measuring.
"""

import glob
import hashlib
import json
import sys
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import msgspec
from image_list import images

ROOT = Path(__file__).resolve().parent.parent
PAGE = "docs/conversion-matrix.md"
DATA = ROOT / "tests" / "matrix"
EXPECTED, MEASURED = DATA / "expected.toml", DATA / "measured.json"
CONVERTS = "converts"
WRONG = "WrongAnswer"
"""Worse than any reason of a refusal: what was published answers otherwise than the model did before it was stored."""


class Cell(msgspec.Struct, frozen=True):
    """A model in one form, and what it must come to."""

    framework: str
    model: str
    form: str
    expected: str
    """`converts`, or the reason of the refusal."""

    @property
    def name(self) -> str:
        """Its name in the data and on the command line."""
        return f"{self.model}/{self.form}"


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was measured of a cell."""

    cell: str
    outcome: str
    """`converts`, the reason of the refusal, or WRONG."""
    format: str = ""
    path: str = ""
    relative_rms: str = ""
    """Largest of all outputs and their slices, as the status tells it; and the limit of that output."""
    limit: str = ""
    excess: str = ""
    """Largest error in units of its own limit: at most 1."""
    largest_error: str = ""
    seconds: float
    """Of the whole `modelport run`."""
    size: int = 0
    """Bytes of the converted model."""
    message: str = ""
    converter: str
    """Digest of the image of the source's framework."""


def read_expected() -> list[Cell]:
    """Return the cells, in the order of the file."""
    told = tomllib.loads(EXPECTED.read_text())
    return [
        Cell(framework, model, form, expected)
        for framework, models in told.items()
        for model, forms in models.items()
        for form, expected in forms.items()
    ]


def read_measured() -> dict[str, Row]:
    """Return the rows by the names of their cells."""
    rows = msgspec.json.decode(MEASURED.read_bytes(), type=list[Row]) if MEASURED.exists() else []
    return {row.cell: row for row in rows}


def write_measured(rows: Mapping[str, Row]) -> None:
    """Write the rows of known cells, one a line, and the page."""
    known = [rows[cell.name] for cell in read_expected() if cell.name in rows]
    lines = ",\n".join(msgspec.json.encode(row).decode() for row in known)
    _write(MEASURED, f"[\n{lines}\n]\n")
    _write(ROOT / PAGE, page())


def _write(path: Path, content: str) -> None:
    draft = path.with_name(f".{path.name}")  # a run may be ended at any time
    draft.write_text(content)
    draft.replace(path)


@cache
def converter_digest(framework: str) -> str:
    """Return the hash of all files that a framework's image is made of."""
    image = images()[f"converter-{framework}"]
    state = hashlib.sha256(json.dumps([image["base"], image["args"]]).encode())
    paths = {image["dockerfile"]}
    for pattern in image["inputs"]:
        paths.update(glob.glob(pattern, root_dir=ROOT, recursive=True))  # noqa: PTH207  # relative ones
    for path in sorted(paths):
        if (ROOT / path).is_file() and "__pycache__" not in path and not path.endswith(".so"):
            state.update(f"\0{path}\0".encode() + hashlib.sha256((ROOT / path).read_bytes()).digest())
    return state.hexdigest()[:12]


def find_old(cells: Sequence[Cell], rows: Mapping[str, Row]) -> list[str]:
    """Return the cells whose rows another converter made than the one that is here."""
    return [
        cell.name
        for cell in cells
        if cell.name in rows and rows[cell.name].converter != converter_digest(cell.framework)
    ]


def find_faults(cells: Sequence[Cell], rows: Mapping[str, Row]) -> list[str]:
    """Return what is measured and not as expected, a line for each."""
    return [
        f"{cell.name}: expected {cell.expected}, found {row.outcome}: {row.message or row.path}"
        for cell in cells
        if (row := rows.get(cell.name)) and row.outcome != cell.expected
    ]


def tell_old() -> None:
    """Print which rows are older than their converters, and which cells were never measured."""
    cells, rows = read_expected(), read_measured()
    absent = [cell.name for cell in cells if cell.name not in rows]
    for told, names in (("made by an older converter", find_old(cells, rows)), ("not measured yet", absent)):
        if names:
            print(f"{PAGE}: {len(names)} rows {told} (`make matrix`): {' '.join(names)}", file=sys.stderr)


INTRODUCTION = f"""<!-- Made by `make matrix`. Do not edit. -->
# Conversion matrix

Models in every form that they are stored in, through `modelport run`, the whole way: import, conversion, trial in the
serving runtime, judgement. What each must come to stands in `tests/matrix/expected.toml` before it is measured. What is
published is also asked a question whose answer the framework gave before the model was stored: another answer would be
`{WRONG}`.

`make matrix` measures what is absent or was made by an older converter, goes on where it was stopped, and ends with status
1 and a list if something is not as expected; `ONLY="lstm/* bert/*"` chooses cells, `AGAIN=1` measures them whether or not
they are. `tests/matrix/makers` makes the models. `make test` measures a part: `PART` in `tests/matrix/test_matrix.py`.
"""
NOTES = """
Relative RMS and error are the largest of all outputs and their slices, on all samples. The limit is that of the whole
output: 5e-6, or 20 × the source's own noise ([verification](verification.md)); a slice's follows from its own noise, so the
error nearest to its limit is told in units of that, of which 1 passes. Seconds are of the whole run, beside other work on
two cores. The form of a model of Keras or TensorFlow ends with what wrote it. The converter's digest is a hash of all that
its image is made of; `make verify` lists rows that are older, and does not fail for them: shared code is in every image.
"""  # noqa: RUF001


def page() -> str:
    """Return the page."""
    cells, rows = read_expected(), read_measured()
    measured = [(cell, rows[cell.name]) for cell in cells if cell.name in rows]
    converted = [(cell, row) for cell, row in measured if row.size]
    refused = [(cell, row) for cell, row in measured if not row.size]
    faults = [f"- {fault}" for fault in find_faults(cells, rows)]
    absent = [f"- {cell.name}: {cell.expected}" for cell in cells if cell.name not in rows]
    counts = [
        f"{len(cells)} cells: {len(converted)} convert and are verified, {len(refused)} are refused",
        f"{len(absent)} are not measured yet; {len(faults)} are not as expected",
        f"wrong answers published: {sum(row.outcome == WRONG for _, row in measured)}",
    ]
    parts = [
        INTRODUCTION,
        f"{'; '.join(counts)}.",
        "",
        "| model | form | path | relative RMS | limit | of its limit | largest error | seconds | bytes | converter |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_converted(cell, row) for cell, row in converted),
        NOTES.rstrip(),
        *_section("Refused", [_refused(cell, row) for cell, row in refused], _REFUSALS),
        *_section("Not as expected", faults),
        *_section("Not measured yet", absent),
        "",
    ]
    return "\n".join(parts)


def _section(title: str, lines: Sequence[str], head: Sequence[str] = ()) -> list[str]:
    return ["", f"## {title}", "", *head, *lines] if lines else []


_REFUSALS = ("| model | form | format | reason | message | seconds | converter |", "|---|---|---|---|---|---|---|")


def _converted(cell: Cell, row: Row) -> str:
    numbers = (
        f"{row.relative_rms} | {row.limit} | {row.excess} | {row.largest_error} | {row.seconds:.1f} | {row.size:,}"
    )
    return f"| {cell.model} | {cell.form} | {row.path} | {numbers} | `{row.converter}` |"


def _refused(cell: Cell, row: Row) -> str:
    message = " ".join(row.message.split()).replace("|", "\\|").replace("<", "&lt;")
    told = f"`{row.outcome}` | {message} | {row.seconds:.1f}"
    return f"| {cell.model} | {cell.form} | {row.format} | {told} | `{row.converter}` |"
