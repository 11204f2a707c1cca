"""The rows of docs/performance.md, of what was measured."""

from collections.abc import Iterator

from scale.measures import Result


def rows(result: Result) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| what | goal | seen |"
    yield "|---|---|---|"
    for name, what, goal in (
        ("reuse", "created at once, of one model that was converted before → all Ready", "≤ 60 s"),
        ("jobs", "created at once, each of its own model, Jobs played → all Ready", "≤ 5 min; 0 duplicate Jobs"),
        ("killed", "the same, the operator killed when half were Ready", "nothing lost, 0 duplicate Jobs"),
    ):
        if found := result.get(name):
            yield f"| {found['resources']:,} resources {what} | {goal} | {_created(found)} |"
    if found := result.get("steady"):
        calls, told = found["callsPerResourceAndHour"], f"seen over {found['seconds'] / 60:.1f} minutes"
        yield (
            f"| {found['resources']:,} resources, nothing changes | ≤ 2 calls per resource and hour beside watches; ≤ 300 MiB; "
            f"liveness never fails | {calls:.2f} calls, {told}; {found['memoryMiB']:.0f} MiB (RSS); "
            f"{found['failedLivenessProbes']} probes failed, {found['restarts']} restarts |"
        )
    if found := result.get("changes"):
        yield (
            f"| change → status, {found['resources']:,} resources of which ten change a second | p99 ≤ 1 s "
            f"| p99 {found['p99']:.2f} s, p50 {found['p50']:.2f} s of {found['changes']:,}, {found['lost']} lost |"
        )


def _created(found: Result) -> str:
    seconds = f"{found['seconds']:.0f} s" if found["seconds"] is not None else "none Ready"
    lost = found["resources"] - found["ready"]
    return (
        f"{seconds}, {lost} lost; {found['jobs']:,} Jobs, {found['duplicateJobs']} duplicates; "
        f"{found['callsPerResource']:.1f} calls a resource; at most {found['memoryMiB']:.0f} MiB (RSS)"
    )
