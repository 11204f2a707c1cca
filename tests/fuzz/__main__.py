"""`make fuzz`: mutated files of every format through detection, scan and parse, and through the whole conversion.

Each must end in success or in a refusal with a reason, within memory and time, and nothing in it may be run. A case is a
format, a seed and a number; the same three make the same files. Those that end otherwise are kept in the user's cache.
"""

import argparse
import signal
import sys
import time

from fuzz.running import FAILURES, run_cases, tally
from fuzz.seeds import SEEDS

STAGES = ("inspect", "whole")


def main() -> int:
    """Return the exit status: 1 if a case ended as none may."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help="all if not given")
    parser.add_argument("--count", type=int, default=2000, help="cases of each format through inspect")
    parser.add_argument("--whole", type=int, default=100, help="cases of each format through ask and the first hop")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the cases; of the clock if not given")
    parser.add_argument("--case", type=int, help="one case alone, as it is named where it ended wrongly")
    parser.add_argument("--stage", choices=STAGES, help="one stage alone")
    options = parser.parse_args()
    unknown = set(options.formats) - set(SEEDS)
    if unknown:
        parser.error(f"expected formats of {', '.join(SEEDS)}; found {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"seed {options.seed}")
    wrong = []
    try:
        for name in options.formats or SEEDS:
            for stage in STAGES if not options.stage else (options.stage,):
                wrong += _run(name, stage, options)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    for each in wrong:
        print(f"wrong: {each}", file=sys.stderr)
    return 1 if wrong else 0


def _run(name: str, stage: str, options: argparse.Namespace) -> list[str]:
    """Run a format's cases of a stage, print what came of them, and return how to repeat those that ended wrongly."""
    count = options.count if stage == "inspect" else options.whole
    if not count:
        return []
    started = time.monotonic()
    is_one = options.case is not None
    cases = run_cases(stage, name, seed=options.seed, count=count, first=options.case or 0, only=is_one)
    counts, faults = tally(cases, f"{name} {stage}")
    told = ", ".join(f"{outcome} {number}" for outcome, number in counts.most_common())
    print(
        f"\r{name} {stage}: {counts.total()} cases in {time.monotonic() - started:.0f} s, {len(faults)} wrong: {told}",
        flush=True,
    )
    return [
        f"make fuzz FORMATS={name} STAGE={stage} SEED={options.seed} CASE={each['number']}"
        f" ({each['fault']}; {FAILURES / '-'.join((name, stage, str(options.seed), str(each['number'])))})"
        for each in faults
    ]


if __name__ == "__main__":
    sys.exit(main())
