"""`python -m modelport_converter STEP…`: one container of a Job, or one process of `modelport run`."""

import argparse
import re
import sys
from functools import partial
from importlib import import_module
from typing import Any

from modelport.jobs.results import StepResult
from modelport.steps.runner import Context, Step, main

ORDER = {
    "fetch": None,
    "inspect": "fetch",
    "keep": "inspect",
    "stage": None,
    "ask": "stage",
    "judge": "try",
    "publish": "judge",
}
"""Steps by name, and the step that each waits for."""
SANDBOXED = {"inspect", "ask"}


def _module(name: str) -> Any:
    # imported as late as can be: steps that only move bytes start before numpy would be loaded
    return import_module(f"modelport_converter.steps.{name}")


def _run(name: str, context: Context) -> StepResult:
    result: StepResult = getattr(_module(name), name)(context)
    return result


def _step(name: str) -> Step:
    if name in ORDER:
        prepare = partial(_prepare, name)
        meanwhile = partial(_meanwhile, name)
        return Step(name, partial(_run, name), ORDER[name], name in SANDBOXED, prepare, meanwhile)
    if re.fullmatch("hop-[1-9][0-9]?", name):
        hop = _module("hop")
        return Step(name, hop.hop, hop.previous(name), sandboxed=True, prepare=partial(hop.prepare, name))
    raise argparse.ArgumentTypeError(f"expected one of {', '.join(ORDER)}, hop-1, hop-2, …, found {name!r}")


def _prepare(name: str, request: object) -> None:
    prepare = getattr(_module(name), "prepare", None)
    if prepare:
        prepare(request)


def _meanwhile(name: str, context: Context) -> None:
    meanwhile = getattr(_module(name), "meanwhile", None)
    if meanwhile:
        meanwhile(context)


parser = argparse.ArgumentParser(
    prog="python -m modelport_converter",
    description="Run steps of a Job, one after the other. The request is read from $MODELPORT_REQUEST, files are under "
    "$MODELPORT_WORK.",
)
parser.add_argument("steps", type=_step, nargs="+", metavar="STEP", help=f"{', '.join(ORDER)}, hop-1, hop-2, …")

if __name__ == "__main__":
    main(*parser.parse_args(sys.argv[1:]).steps)
