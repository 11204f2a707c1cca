"""What needs something waits for it, what needs nothing does not, and the first failure ends the rest."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.errors import CommandFailedError, InvalidInputError
from devcluster.machine import commands
from devcluster.machine.progress import remaining
from devcluster.machine.side_by_side import side_by_side


@pytest.fixture(autouse=True)
def _commands_may_begin() -> Iterator[None]:
    yield
    commands._ending.clear()


def test_tasks_run_at_once_and_after_what_they_need() -> None:
    meeting = threading.Barrier(2, timeout=60)
    order: list[str] = []
    with side_by_side() as start:
        first = start("first", meeting.wait)
        second = start("second", meeting.wait)
        start("third", order.append, "third", after=[start("late", order.append, "late", after=[first, second])])
    assert order == ["late", "third"]


def test_first_failure_is_raised_and_ends_what_runs(tmp_path: Path) -> None:
    fifo = tmp_path / "running"
    os.mkfifo(fifo)

    def fail() -> None:
        fifo.read_bytes()  # the other one runs now, and would for long
        raise InvalidInputError("the disk is full")

    def work() -> None:
        with side_by_side() as start:
            failing = start("failing", fail)
            start("sleeping", commands.run, ["bash", "-c", f"echo > {fifo}; exec sleep 300"])
            start("never", pytest.fail, "began after a failure", after=[failing])

    with pytest.raises(InvalidInputError, match="the disk is full"):
        work()
    with pytest.raises(CommandFailedError, match="another one failed"):
        commands.run(["true"])


def test_what_remains_is_one_line() -> None:
    steps = {"building kube": 10.0, "building image server": 95.5}
    assert remaining(steps, ["Kubernetes", "store", "store"], 100.0) == (
        "still building kube (90 s); building image server (4 s); then Kubernetes, store"
    )
    assert remaining(steps, [], 100.0).endswith("server (4 s)")
