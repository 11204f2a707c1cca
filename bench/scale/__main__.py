"""`python -m scale`: measure the operator with thousands of resources, print the rows of docs/performance.md, write JSON."""

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from embedded import PATHS, get, kubectl
from serving.places import RESULTS, machine, today

from devcluster.machine.progress import say
from modelport.api.base import API_VERSION, PLURAL
from modelport_operator.kube.client import connect
from scale import measures
from scale.kubelet import Kubelet
from scale.measures import Bench, Result
from scale.node import node
from scale.operating import Memory
from scale.resources import NAMESPACE
from scale.seen import Seen, until
from scale.table import rows

_LONGEST_DELETION = 900.0
Measure = Callable[[Bench], Awaitable[Result]]


def main() -> int:
    """Measure what was asked for; return the exit status."""
    options = _parser().parse_args()
    measured = _measures(options)
    if not PATHS.admin_kubeconfig.exists():
        print("error: expected the embedded cluster, found none; run `make deploy`", file=sys.stderr)
        return 1
    file = options.output or RESULTS / f"scale-{today()}.json"
    try:
        asyncio.run(_run({name: measured[name] for name in options.only}, file, options))
    except KeyboardInterrupt:
        return 130
    except (RuntimeError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(rows(json.loads(file.read_text()))))
    print(f"\nwritten: {file}")
    return 0


def _measures(options: argparse.Namespace) -> dict[str, Measure]:
    return {
        "reuse": lambda bench: measures.measure_reuse(bench, options.resources),
        "changes": lambda bench: measures.measure_changes(bench, options.change_seconds),
        "steady": lambda bench: measures.measure_steady(bench, options.steady, options.steady_seconds),
        "jobs": lambda bench: measures.measure_jobs(bench, options.resources),
        "killed": lambda bench: measures.measure_killed(bench, options.resources),
    }


_ANEW = frozenset({"reuse", "jobs", "killed"})
"""What begins with an empty namespace."""


async def _run(wanted: dict[str, Measure], file: Path, options: argparse.Namespace) -> None:
    """Measure in turn; what one found is written before the next begins, beside what the file has of others."""
    async with connect() as kube:
        await _clear()
        kubectl("create", "namespace", NAMESPACE)
        try:
            async with node(kube):
                for name, measure in wanted.items():
                    if name in _ANEW:
                        await _clear_resources()
                    await _measure_one(name, measure, Bench(kube, Seen(), Memory()), file, options)
        finally:
            await _clear()  # after the Node: pods that nobody ends any more are then collected


async def _measure_one(name: str, measure: Measure, bench: Bench, file: Path, options: argparse.Namespace) -> None:
    kubelet = Kubelet(bench.kube, NAMESPACE, seconds=options.job_seconds)
    beside = [asyncio.create_task(each) for each in (bench.seen.run(bench.kube), bench.memory.run(), kubelet.run())]
    try:
        await asyncio.sleep(1)  # the watches begin, and bring what there is
        measuring = asyncio.ensure_future(measure(bench))
        await asyncio.wait([*beside, measuring], return_when=asyncio.FIRST_COMPLETED)
        for task in beside:
            if task.done():
                measuring.cancel()
                task.result()
        found = await measuring
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
    say(f"{name}: {json.dumps(found)}")
    await asyncio.to_thread(_write, file, {"jobSeconds": options.job_seconds, name: {"date": today()} | found})


def _write(file: Path, found: Result) -> None:
    before: Result = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(before | {"machine": machine()} | found, indent=2) + "\n")


async def _clear_resources() -> None:
    """Delete all resources of the namespace, and wait until nothing of them is left."""
    resources = f"/apis/{API_VERSION}/namespaces/{NAMESPACE}/{PLURAL}"

    def is_empty() -> bool:
        return not get("mconv,jobs,pods", "-n", NAMESPACE, "--chunk-size=0")["items"]

    await asyncio.to_thread(kubectl, "delete", "--raw", resources)
    if not await until(is_empty, seconds=_LONGEST_DELETION):
        raise RuntimeError(f"expected namespace {NAMESPACE} to be empty after {_LONGEST_DELETION:g} s, found it is not")


async def _clear() -> None:
    """Delete the namespace with all that is in it."""
    command = ("delete", "namespace", NAMESPACE, "--ignore-not-found", f"--timeout={_LONGEST_DELETION:g}s")
    await asyncio.to_thread(kubectl, *command)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scale", description=(__doc__ or "").partition(": ")[2])
    names = list(_measures(argparse.Namespace()))
    parser.add_argument("--only", nargs="+", default=names, choices=names, help="what to measure, in this order (all)")
    parser.add_argument("--resources", type=int, default=1000, metavar="N", help="created at once (1000)")
    parser.add_argument("--steady", type=int, default=5000, metavar="N", help="resources while nothing changes (5000)")
    parser.add_argument(
        "--steady-seconds", type=float, default=1200, metavar="S", help="how long nothing changes (1200)"
    )
    parser.add_argument(
        "--change-seconds", type=float, default=60, metavar="S", help="how long ten change a second (60)"
    )
    parser.add_argument("--job-seconds", type=float, default=1, metavar="S", help="how long the pod of a Job runs (1)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="the result (bench/results/scale-DATE.json)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
