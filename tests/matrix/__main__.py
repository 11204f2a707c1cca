"""`make matrix`: measure the cells of the conversion matrix and write its page.

What is measured already, by this very converter, is passed over, so that a run goes on where the last one was stopped.
"""

import argparse
import fnmatch
import signal
import sys

from conversion_matrix import PAGE, Cell, find_faults, find_old, read_expected, read_measured, write_measured

from matrix.measuring import NotMadeError, measure
from matrix.sources import MAKERS_BY_FRAMEWORK, make


def main() -> int:
    """Return the exit status: 1 if something is not as expected."""
    parser = argparse.ArgumentParser(prog="make matrix", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="*", metavar="PATTERNS", help="cells such as 'resnet18/* bert/*'")
    parser.add_argument("--again", action="store_true", help="also those that this converter measured")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # tidied up after as after Ctrl-C
    cells, rows = read_expected(), read_measured()
    patterns = options.only.split()
    chosen = [cell for cell in cells if any(fnmatch.fnmatch(cell.name, pattern) for pattern in patterns)]
    if not chosen:
        parser.error(f"--only {options.only}: expected cells of tests/matrix/expected.toml, found none")
    if not options.again:
        old = find_old(cells, rows)
        chosen = [cell for cell in chosen if cell.name not in rows or cell.name in old]
    try:
        unmade = _measure(chosen)
    except KeyboardInterrupt:
        print(f"\nstopped; `make matrix` goes on where this ended, {PAGE} has what was measured", file=sys.stderr)
        return 130
    write_measured(read_measured())
    faults = [*unmade, *find_faults(cells, read_measured())]
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"{len(chosen)} measured, {len(faults)} not as expected: {PAGE}")
    return 1 if faults else 0


def _measure(chosen: list[Cell]) -> list[str]:
    """Measure cells, and return which the frameworks did not make, a line for each."""
    unmade = []
    for framework, maker in MAKERS_BY_FRAMEWORK.items():
        cells = [cell for cell in chosen if cell.framework == framework]
        if cells:
            print(f"models of {framework} …", flush=True)
        folders = make(maker, dict.fromkeys(cell.source for cell in cells))
        for cell in cells:
            print(f"[{chosen.index(cell) + 1}/{len(chosen)}] {cell.name} ", end="", flush=True)
            try:
                row = measure(cell, folders[cell.source])
            except NotMadeError as error:
                unmade.append(f"{cell.name}: not measured: {str(error).strip().splitlines()[-1]}")
                print(unmade[-1], flush=True)
                continue
            mark = "" if row.outcome == cell.expected else f"  ← expected {cell.expected}: {row.message}"
            print(f"{row.outcome} {row.relative_rms} {row.seconds:.1f} s{mark}", flush=True)
            write_measured(read_measured() | {cell.name: row})  # read anew: another run may measure others
    return unmade


if __name__ == "__main__":
    sys.exit(main())
