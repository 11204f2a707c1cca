"""Ask the runtime's backend: `python asking.py MOJO RIGHT.npz ROWS.tsv SECONDS ROWS_A_REQUEST…`, in the server's environment.

Prints start-up, memory and requests per second as JSON, and leaves the rows that were asked, for the peer: numbers after `#`.
"""

import json
import re
import sys
import time
from pathlib import Path

import numpy as np

from modelport_server.backends.base import How
from modelport_server.backends.h2o import load

ROWS = 10_000
THREADS = 2


def main(mojo: Path, right: Path, table: Path, seconds: float, counts: list[int]) -> None:
    """Measure, and print."""
    began = time.perf_counter()
    infer = load(mojo.parent, [mojo.name], How(threads=THREADS))
    start = time.perf_counter() - began
    random = np.random.default_rng(3)
    kept = {name.removeprefix("in."): each for name, each in np.load(right).items() if name.startswith("in.")}
    columns = {name: each[random.integers(len(each), size=ROWS)] for name, each in kept.items()}
    columns = {name: each.astype(object) if each.dtype.kind == "U" else each for name, each in columns.items()}
    write(columns, table)
    rates = []
    for count in counts:
        pieces = [{name: each[at : at + count] for name, each in columns.items()} for at in range(0, ROWS, count)]
        for length in (seconds / 2, seconds):
            requests, began = 0, time.perf_counter()
            while time.perf_counter() - began < length:
                infer(pieces[requests % len(pieces)])
                requests += 1
            rate = requests / (time.perf_counter() - began)
        rates.append(rate)
    children = Path("/proc/self/task").glob("*/children")
    java = max(memory(number) for path in children for number in path.read_text().split())
    print(json.dumps({"start": start, "mebibytes": {"Java": java, "Python": memory("self")}, "rates": rates}))


def write(columns: dict[str, np.ndarray], table: Path) -> None:
    """Leave the rows as text."""
    texts = [
        [f"#{each}".replace("nan", "NaN") if isinstance(each, float) else each for each in column[:, 0].tolist()]
        for column in columns.values()
    ]
    lines = ["\t".join(columns), *("\t".join(row) for row in zip(*texts, strict=True))]
    table.write_text("\n".join(lines), encoding="utf-8")


def memory(number: str) -> float:
    """Return the most memory that a process had, in MiB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{number}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]), float(sys.argv[4]), [int(each) for each in sys.argv[5:]])
