"""Workers for a format's stages: inspect in the image that moves bytes, the whole in the framework's."""

import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import msgspec

from fuzz.seeds import seeds_of
from modelport.frameworks import framework_of
from modelport.jobs.planning import MOVER_IMAGE
from modelport_cli.local.environments import cache_folder, find_recipe, prepare

ROOT = Path(__file__).resolve().parents[2]
FAILURES = cache_folder() / "fuzz"
ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
"""For processes that fork: a thread of the parent's is none of the child's."""
Outcome = dict[str, Any]


def run_cases(
    stage: str, format_name: str, *, seed: int, count: int, first: int = 0, only: bool = False
) -> Iterator[Outcome]:
    """Yield what came of each case, until `count` came through the stage; of `only` one case."""
    plan = {
        "stage": stage,
        "format": format_name,
        "seed": seed,
        "first": first,
        "count": 1 if only else count,
        "only": only,
        "seeds": [str(folder) for folder in seeds_of(format_name)],
        "failures": str(FAILURES),
    }
    image = MOVER_IMAGE if stage == "inspect" else framework_of(format_name).image
    command = [prepare(find_recipe(image)), "-W", "ignore", "-m", "fuzz.worker", msgspec.json.encode(plan).decode()]
    with tempfile.TemporaryFile() as errors, _worker(command, errors) as child:
        assert child.stdout is not None
        for line in child.stdout:
            yield msgspec.json.decode(line)
        if child.wait():
            errors.seek(0)
            told = errors.read()[-2000:].decode(errors="replace")
            raise RuntimeError(f"the worker of {format_name}, stage {stage}, ended with {child.returncode}: {told}")


@contextmanager
def _worker(command: Sequence[Any], errors: IO[bytes]) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a worker, and end it with the case that it is at; their files go with them."""
    paths = os.pathsep.join(str(ROOT / part) for part in ("operator", "images/converter", "tests"))
    variables = {**os.environ, **ONE_THREAD, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryDirectory(prefix="fuzz-", ignore_cleanup_errors=True) as scratch:
        variables["TMPDIR"] = scratch
        pipe = subprocess.PIPE
        with subprocess.Popen(command, env=variables, stdout=pipe, stderr=errors, start_new_session=True) as child:
            try:
                yield child
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)


def tally(outcomes: Iterator[Outcome], told: str) -> tuple[Counter[str], list[Outcome]]:
    """Count what came of cases, by step and reason; say how far they are; return the faults, too."""
    counts: Counter[str] = Counter()
    faults = []
    for outcome in outcomes:
        counts[f"{outcome['step']}: {outcome['reason'] or 'success'}"] += 1
        if outcome["fault"]:
            faults.append(outcome)
            print(f"\n{told} {outcome['number']}: {outcome['fault']}: {outcome['message']:.200}", flush=True)
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{told} {counts.total()} ")
    return counts, faults
