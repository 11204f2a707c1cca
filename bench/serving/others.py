"""What is measured of our server alone: its overhead per call, what batching gains, its memory."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median as middle
from typing import NamedTuple

from devcluster.machine.progress import say
from serving import requests
from serving.cases import Contestant, Effort, Row, median, take_turns
from serving.contestants.image import Place
from serving.contestants.servers import ours
from serving.loads import load
from serving.memory import memory_of
from serving.models.served import Model, make
from serving.places import HERE, BenchError

CLIENTS = 32
BATCHED = ("--max-batch-size", str(CLIENTS), "--max-batch-delay-milliseconds", "2")


class Setting(NamedTuple):
    """What all of them need."""

    place: Place
    scratch: Path
    effort: Effort


def overhead(setting: Setting) -> Row:
    """Return what our server adds to a call of the runtime: tiny model, REST JSON, one connection."""
    model = make("tiny", setting.scratch / "overhead")
    request = requests.as_json(model, model.folder.parent)
    served, bare = [], []
    with ours(setting.place, model) as server:
        requests.check(server, model, request)
        load(server, request, setting.effort.warm_up_seconds, 1)
        for _ in range(setting.effort.repeats):
            served.append(load(server, request, setting.effort.seconds, 1).p50_milliseconds)
            bare.append(_bare_milliseconds(setting.place, model, 1))
    return {
        "case": "overhead",
        "ours": middle(served),
        "peer": middle(bare),
        "difference": middle(served) - middle(bare),
        "goal": 0.2,
        "unit": "ms, p50 of 1 connection beside a bare call of the runtime",
    }


def batching(setting: Setting, name: str) -> Row:
    """Return the throughput of a batching server beside one that does not, and what the runtime itself gains."""
    scratch = setting.scratch / f"batching-{name}"
    model = make(name, scratch)
    request = requests.as_binary(model, scratch)
    with ours(setting.place, model, *BATCHED) as batched, ours(setting.place, model) as plain:
        for server in (batched, plain):
            requests.check(server, model, request)
        contestants = {
            "batched": Contestant(batched, request, CLIENTS),
            "unbatched": Contestant(plain, request, CLIENTS),
        }
        loads = take_turns(f"batching-{name}", contestants, setting.effort)
    own, peer = median(loads["batched"]), median(loads["unbatched"])
    alone, together = (_bare_milliseconds(setting.place, model, batch) for batch in (1, CLIENTS))
    return {
        "case": f"batching-{name}",
        "ours": own.per_second,
        "peer": peer.per_second,
        "ratio": own.per_second / peer.per_second,
        "goal": 3,
        "p99IsNoWorse": own.p99_milliseconds <= peer.p99_milliseconds,
        "unit": f"requests/s, {CLIENTS} clients, REST binary, batched beside unbatched",
        "runtimeRatio": alone * CLIENTS / together,
        "p50Milliseconds": own.p50_milliseconds,
        "p99Milliseconds": own.p99_milliseconds,
        "peerP50Milliseconds": peer.p50_milliseconds,
        "peerP99Milliseconds": peer.p99_milliseconds,
        "repeats": {name: [each.per_second for each in found] for name, found in loads.items()},
    }


def memory(setting: Setting, name: str) -> Row:
    """Return the memory of our server above that of a bare Python with the same model.

    RSS is compared: what other processes of the same image share would be missing from PSS and USS.
    """
    scratch = setting.scratch / f"memory-{name}"
    model = make(name, scratch)
    request = requests.as_binary(model, scratch)
    with _holding(setting.place, model) as held:
        bare = memory_of(held)
    with ours(setting.place, model) as server:
        at_start = memory_of(server.process.pid)
        load(server, request, setting.effort.seconds, 16)
        served = memory_of(server.process.pid)
    say(f"memory-{name}: bare {bare}, server at start {at_start}, after load {served}")
    return {
        "case": f"memory-{name}",
        "ours": served.rss_mib,
        "peer": bare.rss_mib,
        "difference": served.rss_mib - bare.rss_mib,
        "goal": 60,
        "unit": "MiB (RSS) after load, beside a bare Python with the same model",
        "server": served._asdict(),
        "serverAtStart": at_start._asdict(),
        "bare": bare._asdict(),
    }


def _bare(place: Place, model: Model, *arguments: str) -> list[str]:
    act, *more = arguments
    return place.python(model.folder, "-c", (HERE / "contestants" / "bare.py").read_text(), act, "FOLDER", *more)


def _bare_milliseconds(place: Place, model: Model, batch: int) -> float:
    command = _bare(place, model, "time", str(batch))
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


@contextmanager
def _holding(place: Place, model: Model) -> Iterator[int]:
    """Run a bare Python that has the model; it ends when its input does."""
    command = _bare(place, model, "hold")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as held:
        assert held.stdin
        assert held.stdout
        try:
            if held.stdout.readline() != b"ready\n":
                raise BenchError("expected a bare Python with the model, found that it ended")
            yield held.pid
        finally:
            held.stdin.close()
