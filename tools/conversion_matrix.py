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
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from image_list import images

from modelport.frameworks import framework_of
from modelport.runtimes import runtime_for

ROOT = Path(__file__).resolve().parent.parent
PAGE = "docs/conversion-matrix.md"
DATA = ROOT / "tests" / "matrix"
EXPECTED, TARGETED, MEASURED = DATA / "expected.toml", DATA / "targets.toml", DATA / "measured.json"
CONVERTS = "converts"
WRONG = "WrongAnswer"
"""Worse than any reason of a refusal: what was published answers otherwise than the model did before it was stored."""


ONNX = "onnx"
"""The target of cells that name none."""


class Target(NamedTuple):
    """What a model is converted to, and how right it must be."""

    format: str
    options: Mapping[str, object] = {}
    tolerance: Mapping[str, float] = {}
    near: float = 2e-4
    """Relative difference that the published model's answer may have from the one before storing."""
    near_zero: float = 2e-5
    """Absolute one, in units of the answer's largest number, or of 1."""


TARGETS = {
    ONNX: Target(ONNX),
    "onnx-float16": Target(ONNX, {"precision": "float16"}, near=2e-2, near_zero=2e-2),
    "onnx-int8": Target(ONNX, {"precision": "int8"}, {"relative": 0.5}, near=0.5, near_zero=0.5),
    "tvm": Target("tvm"),
    "saved-model": Target("tensorflow-saved-model"),
    "tflite": Target("tflite"),
    "tflite-float16": Target("tflite", {"precision": "float16"}, near=2e-2, near_zero=2e-2),
    "tflite-int8": Target("tflite", {"precision": "int8"}, {"relative": 0.5}, near=0.5, near_zero=0.5),
    "torchscript": Target("torchscript"),
    "pytorch-export": Target("pytorch-export"),
    "pytorch-module": Target("pytorch-module"),
    "keras": Target("keras"),
    "keras-h5": Target("keras-h5"),
    "keras-json-weights": Target("keras-json-weights"),
    "keras-checkpoint": Target("keras-json-weights", {"weights": "checkpoint"}),
    "caffe": Target("caffe"),
    "caffe-bvlc": Target("caffe", {"dialect": "bvlc"}),
    "h2o-mojo": Target("h2o-mojo", near=1e-6, near_zero=1e-6),
    "h2o-pojo": Target("h2o-pojo", near=1e-6, near_zero=1e-6),
}
"""By the name that cells have for them. A tolerance of 8 bits is wide: rounded to so few, some models are far from themselves."""


class Cell(msgspec.Struct, frozen=True):
    """A model in one form on the way to one target, and what it must come to."""

    framework: str
    model: str
    form: str
    expected: str
    """`converts`, or the reason of the refusal."""
    target: str = ONNX
    shapes: dict[str, list[int]] = {}
    """Fixed shapes of inputs, where the target has no free lengths."""
    tolerance: float = 0.0
    """Relative error that the user states; the target's own if 0."""

    @property
    def source(self) -> str:
        """Name of the stored model."""
        return f"{self.model}/{self.form}"

    @property
    def name(self) -> str:
        """Its name in the data and on the command line."""
        return self.source if self.target == ONNX else f"{self.source}/{self.target}"


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
    rows: int = 0
    milliseconds: str = ""
    """Median time of an answer to the smallest batch, of so many rows."""
    message: str = ""
    converter: str
    """Digest of the images of the source's framework, and of the target's framework and runtime."""


def read_expected() -> list[Cell]:
    """Return the cells, in the order of the file."""
    told, targeted = (tomllib.loads(path.read_text()) for path in (EXPECTED, TARGETED))
    return [
        *(Cell(*names, expected) for *names, expected in _leaves(told, 3)),
        *(_targeted(*names, expected) for *names, expected in _leaves(targeted, 4)),
    ]


def _leaves(told: Mapping[str, Any], depth: int) -> Iterator[tuple[Any, ...]]:
    """Yield the keys on the way to each value of nested tables, and the value."""
    for key, value in told.items():
        if depth == 1:
            yield key, value
        else:
            yield from ((key, *rest) for rest in _leaves(value, depth - 1))


def _targeted(framework: str, model: str, form: str, target: str, told: str | Mapping[str, Any]) -> Cell:
    given = {"expected": told} if isinstance(told, str) else dict(told)
    return Cell(framework, model, form, target=target, **given)


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


def converter_digest(cell: Cell) -> str:
    """Return the hash of what the images of source, target and runtime are made of; of plain ONNX, of the source's alone."""
    source = f"converter-{cell.framework}"
    if cell.target == ONNX:
        return _image_digest(source)
    target = TARGETS[cell.target].format
    names = dict.fromkeys((source, "converter-onnx", framework_of(target).image, runtime_for(target).image))
    return hashlib.sha256("".join(map(_image_digest, names)).encode()).hexdigest()[:12]


@cache
def _image_digest(name: str) -> str:
    """Return the hash of all files that an image is made of."""
    image = images()[name]
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
    return [cell.name for cell in cells if cell.name in rows and rows[cell.name].converter != converter_digest(cell)]


def find_faults(cells: Sequence[Cell], rows: Mapping[str, Row]) -> list[str]:
    """Return what is measured and not as expected, a line for each."""
    return [
        f"{cell.name}: expected {cell.expected}, found {row.outcome}: {row.message or row.path}"
        for cell in cells
        if (row := rows.get(cell.name)) and row.outcome != cell.expected
    ]


TOLD = 8
"""Names of rows in a message."""


def tell_old() -> None:
    """Print which rows are older than their converters, and which cells were never measured."""
    cells, rows = read_expected(), read_measured()
    absent = [cell.name for cell in cells if cell.name not in rows]
    for told, names in (("made by an older converter", find_old(cells, rows)), ("not measured yet", absent)):
        if names:
            rest = f" and {len(names) - TOLD} more" if len(names) > TOLD else ""
            print(f"{PAGE}: {len(names)} rows {told} (`make matrix`): {' '.join(names[:TOLD])}{rest}", file=sys.stderr)


INTRODUCTION = f"""<!-- Made by `make matrix`. Do not edit. -->
# Conversion matrix

Models in every form that they are stored in, and on to every target, through `modelport run`, the whole way: import,
conversion, trial in the serving runtime, judgement. What each must come to stands in `tests/matrix/expected.toml` and
`targets.toml` before it is measured. What is
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
    refused = [(cell, row) for cell, row in measured if not row.size]
    faults = [f"- {fault}" for fault in find_faults(cells, rows)]
    absent = [f"- {cell.name}: {cell.expected}" for cell in cells if cell.name not in rows]
    counts = [
        f"{len(cells)} cells: {len(measured) - len(refused)} convert and are verified, {len(refused)} are refused",
        f"{len(absent)} are not measured yet; {len(faults)} are not as expected",
        f"wrong answers published: {sum(row.outcome == WRONG for _, row in measured)}",
    ]
    parts = [
        INTRODUCTION,
        f"{'; '.join(counts)}.",
        "",
        "| model | form | path | relative RMS | limit | of its limit | largest error | seconds | bytes | converter |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_converted(cell, row) for cell, row in measured if row.size and cell.target == ONNX),
        NOTES.rstrip(),
        *_section("Targets", _targets(measured, rows), _TARGETS),
        *_section("Refused", [_refused(cell, row) for cell, row in refused], _REFUSALS),
        *_section("Not as expected", faults),
        *_section("Not measured yet", absent),
        "",
    ]
    return "\n".join(parts)


_TARGETS = (
    "Latency is the median of the smallest batch in the runtime alone (`status.verification.performance`), and beside ONNX",
    "Runtime with the same model, as its row above measured it: a first impression of two runs at different times.",
    "",
    "| model | form | target | path | relative RMS | limit | of its limit | largest error | ms | beside ONNX Runtime | seconds | bytes | converter |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
)


def _targets(measured: Sequence[tuple[Cell, Row]], rows: Mapping[str, Row]) -> list[str]:
    return [_target(cell, row, rows.get(cell.source)) for cell, row in measured if row.size and cell.target != ONNX]


def _target(cell: Cell, row: Row, plain: Row | None) -> str:
    beside = ""
    if plain and plain.rows == row.rows and float(plain.milliseconds or 0) and row.milliseconds:
        beside = f"{float(row.milliseconds) / float(plain.milliseconds):.2g}"
    numbers = f"{row.relative_rms} | {row.limit} | {row.excess} | {row.largest_error} | {row.milliseconds} | {beside} | {row.seconds:.1f} | {row.size:,}"
    return f"| {cell.model} | {cell.form} | {cell.target} | {row.path} | {numbers} | `{row.converter}` |"


def _section(title: str, lines: Sequence[str], head: Sequence[str] = ()) -> list[str]:
    return ["", f"## {title}", "", *head, *lines] if lines else []


_REFUSALS = ("| model | form | target | reason | message | seconds | converter |", "|---|---|---|---|---|---|---|")


def _converted(cell: Cell, row: Row) -> str:
    numbers = (
        f"{row.relative_rms} | {row.limit} | {row.excess} | {row.largest_error} | {row.seconds:.1f} | {row.size:,}"
    )
    return f"| {cell.model} | {cell.form} | {row.path} | {numbers} | `{row.converter}` |"


def _refused(cell: Cell, row: Row) -> str:
    message = " ".join(row.message.split()).replace("|", "\\|").replace("<", "&lt;")
    told = f"`{row.outcome}` | {message} | {row.seconds:.1f}"
    return f"| {cell.model} | {cell.form} | {cell.target} | {told} | `{row.converter}` |"
