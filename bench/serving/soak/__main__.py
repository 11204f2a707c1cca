"""`python -m serving.soak`: our server under mixed load for a long time, with clients that misbehave and restarts.

Two servers: a steady one, which takes all faults and whose memory must stay flat, and one that is replaced again and
again by SIGTERM. No well-behaved client may see an error, but for nobody listening while a single server is replaced.
"""

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from devcluster.machine.progress import say
from serving import commands, requests, table
from serving.contestants.image import Place
from serving.contestants.servers import Ports, Server, end, ours
from serving.memory import memory_of
from serving.models.served import Model, make
from serving.places import RESULTS, BenchError, free_port, today
from serving.soak import faults
from serving.soak.clients import Client
from serving.soak.faults import FAULTS
from serving.soak.tally import Tally, Window

MAX_BODY_BYTES = 8 << 20
DRAIN_SECONDS = 2
REPLACE_SECONDS = 30
SAMPLE_SECONDS = 2
REPORT_SECONDS = 30
WARM_UP_SHARE = 0.2
GROWTH_MIB, GROWTH_SHARE = 8, 0.05
"""Memory is flat if it grows by no more than this, whichever is more."""
FAULT_PAUSE_SECONDS = 0.05


class Soak(NamedTuple):
    """What all parts share."""

    place: Place
    scratch: Path
    tally: Tally
    window: Window
    stop: threading.Event


def main() -> int:
    """Soak; return the exit status."""
    options = _parser().parse_args()
    return commands.run(lambda: _soak(options))


def _soak(options: argparse.Namespace) -> int:
    with commands.place(checkout=options.checkout) as where, tempfile.TemporaryDirectory() as scratch:
        soak = Soak(where, Path(scratch), Tally(), Window(), threading.Event())
        result = _run(soak, options.minutes * 60)
    file = options.output or RESULTS / f"soak-{today()}.json"
    table.write(file, {**commands.circumstances(checkout=options.checkout), **result})
    return _tell(result, file)


def _run(soak: Soak, seconds: float) -> dict[str, Any]:
    image, tiny = make("image", soak.scratch), make("tiny", soak.scratch)
    limit = ("--max-body-bytes", str(MAX_BODY_BYTES))
    ports = free_port(), free_port()
    with ours(soak.place, image, *limit) as steady:
        threads = [*_clients(soak, "steady", image, (steady.http_port, steady.grpc_port), Window())]
        threads += [_misbehaving(soak, steady, image), lambda: _replace(soak, tiny, ports)]
        soak.window.set()
        threads += _clients(soak, "replaced", tiny, ports, soak.window)
        samples = _while_running(soak, threads, steady, seconds)
        _finish(soak, "steady server", steady)
    memory = judge_memory(samples)
    if not memory["isFlat"]:
        soak.tally.fail("steady server", f"expected flat memory, found {memory}")
    counts = soak.tally.read()
    return {"minutes": seconds / 60, "memory": memory, **counts._asdict()}


def _clients(soak: Soak, name: str, model: Model, ports: Ports, window: Window) -> list[Callable[[], None]]:
    asked = (
        ("REST JSON", ports[0], requests.as_json),
        ("REST binary", ports[0], requests.as_binary),
        ("gRPC", ports[1], requests.as_grpc),
    )
    return [
        Client(f"{name}, {form}", port, model, ask(model, soak.scratch), soak.tally, window, soak.stop).run
        for form, port, ask in asked
    ]


def _misbehaving(soak: Soak, server: Server, model: Model) -> Callable[[], None]:
    json, binary, grpc = (ask(model, soak.scratch) for ask in (requests.as_json, requests.as_binary, requests.as_grpc))
    setting = faults.Setting(server, json, binary, grpc, MAX_BODY_BYTES)

    def run() -> None:
        while not soak.stop.is_set():
            for fault in FAULTS:
                _misbehave(soak, fault, setting)
                if soak.stop.wait(FAULT_PAUSE_SECONDS):
                    return

    return run


def _misbehave(soak: Soak, fault: faults.Fault, setting: faults.Setting) -> None:
    name = fault.__name__.replace("_", " ")
    try:
        wrong = fault(setting)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is not the expected answer
        wrong = f"{type(error).__name__}: {error}"
    if wrong:
        soak.tally.fail(name, wrong)
    else:
        soak.tally.count(f"fault: {name}")


def _replace(soak: Soak, model: Model, ports: Ports) -> None:
    """Run one server after the other on the same ports; each is told to stop and drains."""
    while not soak.stop.is_set():
        with ours(soak.place, model, "--drain-seconds", str(DRAIN_SECONDS), ports=ports) as server:
            soak.window.clear()
            soak.stop.wait(REPLACE_SECONDS)
            soak.window.set()
            _finish(soak, "replaced server", server)
        soak.tally.count("servers replaced")


def _finish(soak: Soak, name: str, server: Server) -> None:
    """End a server; it is to drain, and to have nothing unforeseen in its log."""
    end(server.process)
    log, status = server.logged(), server.process.returncode
    if status:
        soak.tally.fail(name, f"expected exit status 0, found {status}: {log[-200:]}")
    if "Traceback" in log:
        soak.tally.fail(name, log[log.index("Traceback") :])


def _while_running(
    soak: Soak, acts: list[Callable[[], None]], steady: Server, seconds: float
) -> list[tuple[float, float]]:
    """Run all acts at once for some time; return the steady server's memory over time."""
    threads = [threading.Thread(target=_guarded(soak, act)) for act in acts]
    samples: list[tuple[float, float]] = []
    started = reported = time.monotonic()
    for thread in threads:
        thread.start()
    try:
        while (passed := time.monotonic() - started) < seconds and steady.process.poll() is None:
            samples.append((passed, memory_of(steady.process.pid).rss_mib))
            if time.monotonic() - reported > REPORT_SECONDS:
                reported = time.monotonic()
                _report(soak, *samples[-1])
            time.sleep(SAMPLE_SECONDS)
    finally:
        soak.stop.set()
        for thread in threads:
            thread.join()
    return samples


def _guarded(soak: Soak, act: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - a part that ended early is a failure whatever ended it
            soak.tally.fail("a part of the soak test ended", f"{type(error).__name__}: {error}")

    return run


def _report(soak: Soak, passed: float, memory: float) -> None:
    counts = soak.tally.read()
    answered = sum(count for name, count in counts.requests.items() if name.endswith("answered"))
    say(f"{passed / 60:.1f} min: {answered:,} answers, {counts.failed} failures, {memory:.0f} MiB")
    if counts.failures:
        say(f"the newest: {counts.failures[-1]:.300}")


def judge_memory(samples: list[tuple[float, float]]) -> dict[str, Any]:
    """Return first and last memory after the warm-up, the slope, and whether that is flat."""
    kept = samples[int(len(samples) * WARM_UP_SHARE) :]
    if len(kept) < 2:  # noqa: PLR2004 - a line needs two points
        raise BenchError("expected a longer soak: too few samples of memory")
    values = [value for _, value in kept]
    share = max(1, len(values) // 10)
    first, last = statistics.median(values[:share]), statistics.median(values[-share:])
    slope, _ = statistics.linear_regression([passed for passed, _ in kept], values)
    return {
        "firstMib": first,
        "lastMib": last,
        "growthMib": round(last - first, 2),
        "slopeMibPerHour": round(slope * 3600, 2),
        "isFlat": last - first <= max(GROWTH_MIB, GROWTH_SHARE * first),
    }


def _tell(result: dict[str, Any], file: Path) -> int:
    for name, count in result["requests"].items():
        print(f"{count:>10,}  {name}")
    memory = result["memory"]
    told = f"{memory['firstMib']:.1f} → {memory['lastMib']:.1f} MiB, {memory['slopeMibPerHour']:+.1f} MiB per hour"
    print(f"memory of the steady server after warm-up: {told}")
    for failure in result["failures"]:
        print(f"failure: {failure}", file=sys.stderr)
    say(f"{result['failed']} failures; written: {file}")
    return int(bool(result["failed"]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.soak", description="Our server under mixed load with faults and restarts."
    )
    parser.add_argument("--minutes", type=float, default=30, help="how long (30)")
    commands.add_options(parser, "soak")
    return parser


if __name__ == "__main__":
    sys.exit(main())
