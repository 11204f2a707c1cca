"""The cases: the same load on ours and the peers, in turns, so that what else the machine does hits all of them."""

import statistics
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from devcluster.machine.progress import say
from serving import requests
from serving.contestants.image import Place
from serving.contestants.servers import Server, kserve, mlserver, ours
from serving.loads import Load, load
from serving.models.served import Model, make
from serving.requests import Request

CONNECTIONS = 16
Make = Callable[[Model, Path], Request]
Row = dict[str, Any]


class Effort(NamedTuple):
    """How long to measure."""

    seconds: float
    warm_up_seconds: float
    repeats: int


class Case(NamedTuple):
    """One row: what is asked of whom. `peer` is MLServer's side of the ratio."""

    name: str
    model: str
    ours: Make
    peer: Make
    kserve: Make
    goal: float
    """How many times MLServer's rate ours should be."""
    beside: Make | None = None
    """MLServer again, in another form."""


_JSON, _NESTED, _BINARY, _GRPC = requests.as_json, requests.as_nested_json, requests.as_binary, requests.as_grpc
CASES = (
    Case("tiny-rest-json", "tiny", ours=_JSON, peer=_JSON, kserve=_JSON, goal=12),
    Case("image-rest-json", "image", ours=_JSON, peer=_JSON, kserve=_JSON, goal=5),
    Case("image-rest-nested", "image", ours=_NESTED, peer=_NESTED, kserve=_NESTED, goal=5),
    Case("image-rest-binary", "image", ours=_BINARY, peer=_JSON, kserve=_BINARY, goal=20, beside=_GRPC),
    Case("tiny-grpc", "tiny", ours=_GRPC, peer=_GRPC, kserve=_GRPC, goal=6.5),
    Case("image-grpc", "image", ours=_GRPC, peer=_GRPC, kserve=_GRPC, goal=9),
)


class Contestant(NamedTuple):
    """A server and what it is asked."""

    server: Server
    request: Request
    connections: int = CONNECTIONS


def measure_cases(names: list[str], place: Place, scratch: Path, effort: Effort) -> list[Row]:
    """Return the rows of these cases; the servers of a model are started once."""
    chosen = [case for case in CASES if case.name in names]
    rows: dict[str, Row] = {}
    for name in dict.fromkeys(case.model for case in chosen):
        model = make(name, scratch)
        with ExitStack() as stack:
            own, peer, other = (
                stack.enter_context(started) for started in (ours(place, model), mlserver(model), kserve(model))
            )
            for case in chosen:
                if case.model == name:
                    rows[case.name] = _row(case, _contestants(case, model, scratch, (own, peer, other)), effort)
    return [rows[case.name] for case in chosen]


def _contestants(
    case: Case, model: Model, scratch: Path, servers: tuple[Server, Server, Server]
) -> dict[str, Contestant]:
    own, peer, other = servers
    chosen = {
        "ours": Contestant(own, case.ours(model, scratch)),
        "peer": Contestant(peer, case.peer(model, scratch)),
        "kserve": Contestant(other, case.kserve(model, scratch)),
    }
    if case.beside:
        chosen["mlserverGrpc"] = Contestant(peer, case.beside(model, scratch))
    for each in chosen.values():
        requests.check(each.server, model, each.request)
    return chosen


def _row(case: Case, contestants: dict[str, Contestant], effort: Effort) -> Row:
    loads = take_turns(case.name, contestants, effort)
    middle = {name: median(each) for name, each in loads.items()}
    own, peer = middle["ours"], middle["peer"]
    row: Row = {
        "case": case.name,
        "ours": own.per_second,
        "peer": peer.per_second,
        "ratio": own.per_second / peer.per_second,
        "goal": case.goal,
        "unit": "requests/s",
        "p50Milliseconds": own.p50_milliseconds,
        "p99Milliseconds": own.p99_milliseconds,
        "peerP50Milliseconds": peer.p50_milliseconds,
        "peerP99Milliseconds": peer.p99_milliseconds,
        "peerIs": f"{contestants['peer'].server.title}, {contestants['peer'].request.file.name}",
        "repeats": {name: [each.per_second for each in found] for name, found in loads.items()},
    }
    for name in middle.keys() - {"ours", "peer"}:
        row[name] = middle[name].per_second
        row[f"{name}Ratio"] = own.per_second / middle[name].per_second
    return row


def take_turns(title: str, contestants: dict[str, Contestant], effort: Effort) -> dict[str, list[Load]]:
    """Measure each contestant as often as told, in turns."""
    found: dict[str, list[Load]] = {name: [] for name in contestants}
    for repeat in range(effort.repeats):
        for name, (server, request, connections) in contestants.items():
            load(server, request, effort.warm_up_seconds, connections)
            found[name].append(load(server, request, effort.seconds, connections))
        told = ", ".join(f"{name} {each[-1].per_second:,.0f}/s" for name, each in found.items())
        say(f"{title}, {repeat + 1} of {effort.repeats}: {told}")
    return found


def median(loads: list[Load]) -> Load:
    """Return the median of each number."""
    return Load(*(statistics.median(values) for values in zip(*loads, strict=True)))
