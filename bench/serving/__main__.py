"""`python -m serving`: measure our server beside MLServer and KServe, print a table, write bench/results/serving-….json."""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from devcluster.machine.progress import say
from serving import commands, others, table
from serving.cases import CASES, Effort, Row, measure_cases
from serving.others import Setting
from serving.places import RESULTS, today
from serving.programs import provide_all

NOTES = [
    "One worker and one thread of ONNX Runtime each, 127.0.0.1, 16 connections (wrk -t1; ghz: 16 calls over 4 connections).",
    "Cases are beside MLServer in the same form, image-rest-binary beside its REST JSON; mlserverGrpc is beside its gRPC.",
    "minilm is all-MiniLM-L6-v2 with its real weights, 8 tokens; runtime is what ONNX Runtime itself gains by 32 in one call.",
]
OTHERS: dict[str, Callable[[Setting], Row]] = {
    "overhead": others.overhead,
    "batching-minilm": lambda setting: others.batching(setting, "minilm"),
    "batching-wide": lambda setting: others.batching(setting, "wide"),
    "memory-tiny": lambda setting: others.memory(setting, "tiny"),
    "memory-image": lambda setting: others.memory(setting, "image"),
}
NAMES = [*(case.name for case in CASES), *OTHERS]


def main() -> int:
    """Measure what was asked for; return the exit status."""
    options = _parser().parse_args()
    return commands.run(lambda: _measure(options))


def _measure(options: argparse.Namespace) -> int:
    names = options.cases or NAMES
    provide_all()
    effort = Effort(options.seconds, options.warm_up, options.repeats)
    with commands.place(checkout=options.checkout) as where, tempfile.TemporaryDirectory() as scratch:
        rows = measure_cases(names, where, Path(scratch), effort)
        setting = Setting(where, Path(scratch), effort)
        found = {name: act(setting) for name, act in OTHERS.items() if name in names}
    print(table.render([*rows, *found.values()]))
    print("\n" + "\n".join(NOTES))
    file = options.output or (None if options.cases else RESULTS / f"serving-{today()}.json")
    if file is None:
        say("not all cases were measured: nothing is written without --output")
        return 0
    table.write(
        file,
        {
            **commands.circumstances(checkout=options.checkout),
            "effort": effort._asdict(),
            "rows": rows,
            "other": found,
            "notes": NOTES,
        },
    )
    say(f"written: {file}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m serving", description="Measure our server beside its peers.")
    parser.add_argument("cases", nargs="*", choices=[*NAMES, []], metavar="CASE", help=f"{', '.join(NAMES)} (all)")
    parser.add_argument("--seconds", type=float, default=6, help="length of one measurement (6)")
    parser.add_argument("--warm-up", type=float, default=2, help="seconds of load before each measurement (2)")
    parser.add_argument("--repeats", type=int, default=3, help="measurements of each server, in turns (3)")
    commands.add_options(parser, "serving")
    return parser


if __name__ == "__main__":
    sys.exit(main())
