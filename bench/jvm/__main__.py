"""How fast the JVM runtime answers, beside H2O's own scorer in a loop of Java: `make bench-h2o` prints rows of docs/performance.md.

A GBM of 50 trees of depth 5 (H2O's defaults) on five columns, two of them texts. The runtime is asked as the server asks it, by the backend in
its image's environment, request after request; the peer is EasyPredictModelWrapper in a plain loop of one thread, in a
process of Java with the same options, which has rows in memory already and answers nobody. Both in turns.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from matrix.sources import MAKERS_BY_FRAMEWORK, make
from modelport.asking.java import OPTIONS
from modelport_cli.local.environments import find_recipe, prepare

ROOT = Path(__file__).resolve().parents[2]
CODE = os.pathsep.join(str(ROOT / part) for part in ("operator", "images/server"))
CELL = "gbm-defaults/mojo"
COUNTS = (1, 10, 100, 1_000)
"""Rows of a request."""
TURNS = 3
GOAL = 0.5
LOOP = Path(__file__).with_name("EasyLoop.java")
ASKING = Path(__file__).with_name("asking.py")


class Seen(msgspec.Struct):
    """What one process of the runtime showed (asking.py)."""

    start: float
    """Seconds until it could answer."""
    mebibytes: dict[str, float]
    """Most memory by process, in MiB."""
    rates: list[float]
    """Requests per second, by COUNTS."""


def main() -> None:
    """Measure in turns, and print the rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--turns", type=int, default=TURNS, help="how often each is measured")
    parser.add_argument("--seconds", type=float, default=3.0, help="that each number of rows is asked for")
    options = parser.parse_args()
    folder = make(MAKERS_BY_FRAMEWORK["h2o"], [CELL])[CELL]
    if not (folder / "cell.json").exists():
        sys.exit((folder / "error").read_text())
    python = prepare(find_recipe("server-h2o"))
    with tempfile.TemporaryDirectory() as scratch:
        table = Path(scratch) / "rows.tsv"
        pairs = [
            (_ask(python, folder, table, options.seconds), _loop(python, folder, table, options.seconds))
            for _ in range(options.turns)
        ]
    print(
        "| rows a request | runtime, requests/s | H2O's scorer in a loop, requests/s | ratio | goal |\n|---|---|---|---|---|"
    )
    for place, count in enumerate(COUNTS):
        ours, theirs = (
            statistics.median(values)
            for values in zip(*((one.rates[place], other[place]) for one, other in pairs), strict=True)
        )
        print(f"| {count:,} | {ours:,.0f} | {theirs:,.0f} | {ours / theirs:.2f} | ≥ {GOAL} |")
    seen = [one for one, _ in pairs]
    memory = ", ".join(
        f"{name} {statistics.median(one.mebibytes[name] for one in seen):.0f} MiB" for name in seen[0].mebibytes
    )
    print(f"start {statistics.median(one.start for one in seen):.1f} s; {memory}")


def _ask(python: Path, folder: Path, table: Path, seconds: float) -> Seen:
    command = [
        python,
        ASKING,
        folder / "source" / "model.zip",
        folder / "right.npz",
        table,
        str(seconds),
        *map(str, COUNTS),
    ]
    return msgspec.json.decode(_output(command, {**os.environ, "PYTHONPATH": CODE}), type=Seen)


def _loop(python: Path, folder: Path, table: Path, seconds: float) -> list[float]:
    command = [
        "java",
        *OPTIONS,
        "-cp",
        f"{python.parents[1] / 'jars'}/*",
        LOOP,
        folder / "source" / "model.zip",
        table,
        str(seconds),
    ]
    return [float(line) for line in _output([*command, *map(str, COUNTS)], dict(os.environ)).split()]


def _output(command: list[object], variables: dict[str, str]) -> str:
    ended = subprocess.run([str(each) for each in command], env=variables, capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.exit(f"{command[1]}: {ended.stderr[-1000:]}")
    return ended.stdout


if __name__ == "__main__":
    main()
