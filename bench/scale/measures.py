"""What is measured: resources created at once, with Jobs and without, the same with the operator killed, quiet, and changes."""

import asyncio
import datetime as dt
import statistics
import time
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from modelport.api.base import KIND
from modelport_operator.kube.client import Kube
from scale import operating, resources
from scale.operating import Memory
from scale.seen import Seen, until

LONGEST_SECONDS = 900.0
"""How long all resources may take to be Ready."""
CHANGES_PER_SECOND = 10
_SETTLING_SECONDS = 20.0
_CALLS = 8
"""Creations at the same time."""
_MANAGER = "scale"
_HOUR = 3600.0
Result = dict[str, Any]


class Bench(NamedTuple):
    """What measurements need."""

    kube: Kube
    seen: Seen
    memory: Memory


async def measure_reuse(bench: Bench, count: int) -> Result:
    """Create resources of one model, which was converted before: no Job is needed."""
    await _create(bench, ["seed"], "shared")
    await until(lambda: "seed" in bench.seen.ready, seconds=LONGEST_SECONDS)
    return await _measured(bench, [f"reuse-{number}" for number in range(count)], "shared")


async def measure_jobs(bench: Bench, count: int) -> Result:
    """Create resources of as many models: each has an Import and a Convert Job."""
    return await _measured(bench, [f"job-{number}" for number in range(count)], "")


async def measure_killed(bench: Bench, count: int) -> Result:
    """Kill the operator's process once half of the resources are Ready."""

    async def kill() -> None:
        ready = bench.seen.ready
        await until(lambda: sum(name.startswith("killed-") for name in ready) >= count // 2, seconds=LONGEST_SECONDS)
        await asyncio.to_thread(operating.kill)

    return await _measured(bench, [f"killed-{number}" for number in range(count)], "", beside=kill)


async def measure_steady(bench: Bench, count: int, seconds: float) -> Result:
    """Fill up to so many resources, and count what the operator asks for while nothing changes."""
    missing = count - len(bench.seen.ready)
    filled = await _measured(bench, [f"steady-{number}" for number in range(missing)], "shared")
    await asyncio.sleep(_SETTLING_SECONDS)
    bench.memory.begin()
    before, since = await _troubles(), dt.datetime.now(dt.UTC)
    await asyncio.sleep(seconds)
    counted, after = await asyncio.to_thread(operating.calls, since), await _troubles()
    per_hour = sum(counted.values()) / len(bench.seen.ready) * _HOUR / seconds
    return {
        "resources": len(bench.seen.ready),
        "seconds": seconds,
        "calls": dict(counted),
        "callsPerResourceAndHour": per_hour,
        "memoryMiB": bench.memory.most,
        "restarts": after[0] - before[0],
        "failedLivenessProbes": after[1] - before[1],
        "filling": filled,
    }


async def measure_changes(bench: Bench, seconds: float) -> Result:
    """Change ten of the resources a second; measure from sending a change to a status that is about it."""
    names, number = sorted(bench.seen.ready), int(seconds * CHANGES_PER_SECOND)
    if not names:
        raise RuntimeError("expected resources that are Ready to change, found none; measure reuse or jobs, too")
    since, started = dt.datetime.now(dt.UTC), time.monotonic()
    took = await asyncio.gather(*(_change(bench, names[index % len(names)], started, index) for index in range(number)))
    seen = sorted(each for each in took if each is not None)
    counted = await asyncio.to_thread(operating.calls, since)
    return {
        "resources": len(names),
        "changes": number,
        "lost": number - len(seen),
        "p50": statistics.median(seen),
        "p99": seen[int(len(seen) * 0.99)],
        "most": seen[-1],
        "callsPerChange": sum(counted.values()) / number,
    }


async def _measured(
    bench: Bench, names: list[str], model: str, *, beside: Callable[[], Coroutine[Any, Any, None]] | None = None
) -> Result:
    """Create resources at once, and wait until all are Ready."""
    wanted, ready = set(names), bench.seen.ready
    bench.memory.begin()
    before, since, started = await _troubles(), dt.datetime.now(dt.UTC), time.monotonic()
    acting = asyncio.create_task(beside()) if beside else None
    await _create(bench, names, model)
    created = time.monotonic()
    await until(lambda: wanted <= ready.keys(), seconds=LONGEST_SECONDS)
    if acting:
        await acting
    counted, after = await asyncio.to_thread(operating.calls, since), await _troubles()
    times = sorted(ready[name] for name in wanted & ready.keys())
    made = bench.seen.jobs_of(wanted)
    return {
        "resources": len(names),
        "ready": len(times),
        "seconds": times[-1] - started if times else None,
        "secondsToCreate": created - started,
        "secondsToHalf": times[len(times) // 2] - started if times else None,
        "jobs": made.jobs,
        "duplicateJobs": made.duplicates,
        "stalled": dict(list(bench.seen.stalled.items())[:5]),
        "calls": dict(counted),
        "callsPerResource": sum(counted.values()) / max(len(names), 1),
        "memoryMiB": bench.memory.most,
        "restarts": after[0] - before[0],
        "failedLivenessProbes": after[1] - before[1],
    }


async def _create(bench: Bench, names: list[str], model: str) -> None:
    """Create resources, of one model or else each of its own."""
    together = asyncio.Semaphore(_CALLS)

    async def create(name: str) -> None:
        async with together:
            body = resources.resource(name, model or name)
            await bench.kube.create(KIND, resources.NAMESPACE, body, manager=_MANAGER)

    await asyncio.gather(*(create(name) for name in names))


async def _change(bench: Bench, name: str, started: float, index: int) -> float | None:
    """Change a resource when it is its time; return the seconds until the status was about it, or None if it never was."""
    await asyncio.sleep(started + index / CHANGES_PER_SECOND - time.monotonic())
    sent = time.monotonic()
    operations = resources.tolerance(0.001 + index * 1e-6)
    body = await bench.kube.patch(KIND, resources.NAMESPACE, name, operations)
    key = name, body["metadata"]["generation"]
    told = bench.seen.told
    return told[key] - sent if await until(lambda: key in told, seconds=60) else None


async def _troubles() -> tuple[int, int]:
    """Return how often the operator's container was started again, and its liveness probe failed."""
    return await asyncio.to_thread(operating.restarts), await asyncio.to_thread(operating.failed_probes)
