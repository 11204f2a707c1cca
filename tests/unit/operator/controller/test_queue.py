"""The queue and the workers, without a sleep: the clock of the loop is moved by hand."""

import asyncio

import pytest

from modelport_operator.backoff import Backoff
from modelport_operator.controller.controller import Controller, Key, Result
from modelport_operator.controller.queue import WorkQueue
from modelport_operator.kube.errors import ThrottledError

A, B = Key("team", "a"), Key("team", "b")


class Timers:
    """Stands in for the loop's timers and clock."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        self.calls = []
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "call_later", self._later)
        monkeypatch.setattr("modelport_operator.controller.queue._now", lambda: self.now)
        monkeypatch.setattr("modelport_operator.controller.controller.random.uniform", lambda _low, _high: 1.0)

    def _later(self, delay, function, *arguments):
        timer = self._Timer(self.now + delay, function, arguments)
        self.calls.append(timer)
        return timer

    def advance(self, seconds):
        self.now += seconds
        for timer in [each for each in self.calls if each.when <= self.now]:
            self.calls.remove(timer)
            if not timer.cancelled:
                timer.function(*timer.arguments)

    class _Timer:
        def __init__(self, when, function, arguments):
            self.when, self.function, self.arguments, self.cancelled = when, function, arguments, False

        def cancel(self):
            self.cancelled = True


@pytest.fixture
async def timers(monkeypatch):
    return Timers(monkeypatch)


@pytest.fixture
async def queue(timers):
    return WorkQueue(Backoff(2, 60))


async def test_all_that_waits_for_its_time_is_processed_now(queue, timers):
    queue.add_after(A, 600)
    queue.retry(B)
    queue.add_scheduled()
    assert {await queue.get(), await queue.get()} == {A, B}


async def test_what_is_in_work_is_processed_once_more_by_what_is_known_now(queue, timers):
    queue.add(A)
    assert await queue.get() == A
    queue.add_scheduled()
    queue.add_after(A, 600)
    queue.done(A)
    assert await queue.get() == A
    assert queue.scheduled == 0
    timers.advance(1000)
    assert len(queue) == 0


async def test_a_burst_is_one(queue):
    for _ in range(3):
        queue.add(A)
    assert len(queue) == 1


async def test_a_change_during_the_work_is_worked_on_afterwards(queue):
    queue.add(A)
    key = await queue.get()
    queue.add(A)
    assert len(queue) == 0
    queue.done(key)
    assert len(queue) == 1


async def test_without_a_change_nothing_follows(queue):
    queue.add(A)
    queue.done(await queue.get())
    assert len(queue) == 0


async def test_later_is_later_and_sooner_wins(queue, timers):
    queue.add_after(A, 10)
    timers.advance(9)
    assert (len(queue), queue.scheduled) == (0, 1)
    timers.advance(1)
    assert (len(queue), queue.scheduled) == (1, 0)
    queue.done(await queue.get())
    queue.add_after(A, 10)
    queue.add(A)
    timers.advance(20)
    assert len(queue) == 1


async def test_retries_come_later_and_later_up_to_the_limit(queue, timers):
    first, *others = [queue.retry(A) for _ in range(7)]
    for delay, ceiling in zip((first, *others), (2, 4, 8, 16, 32, 60, 60), strict=True):
        assert ceiling / 2 <= delay < ceiling
    assert queue.retry(A, at_least=90) == 90
    queue.forgive(A)
    assert queue.retry(A) == first
    assert queue.retry(B) != first  # what failed together is not tried again together


async def test_a_forgotten_key_does_not_come_back(queue, timers):
    first = queue.retry(A)
    queue.forget(A)
    timers.advance(100)
    assert len(queue) == 0
    assert queue.retry(A) == first


async def test_a_key_that_is_worked_on_for_long_is_told_from_a_backlog(queue, timers):
    for key in (A, B):
        queue.add(key)
    timers.advance(1000)
    assert queue.longest_work() == 0
    assert await queue.get() == A
    timers.advance(5)
    assert queue.longest_work() == 5
    queue.done(A)
    assert queue.longest_work() == 0


class Work:
    """A reconcile function that is told what to answer, and when."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.seen = []
        self.idle = asyncio.Event()
        self.running = 0
        self.most = 0

    async def __call__(self, key):
        self.running += 1
        self.most = max(self.most, self.running)
        self.seen.append(key)
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)  # other workers get their turn
        self.running -= 1
        answer = self.answers.pop(0)
        if not self.answers:
            self.idle.set()
        if isinstance(answer, Exception):
            raise answer
        return answer


async def worked(controller, work, *keys):
    task = asyncio.create_task(controller.run())
    for key in keys:
        controller.stirred(key)
    await work.idle.wait()
    while controller.queue._active:
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)
    return task


async def stopped(task):
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("answer", "delay", "outcome"),
    [
        (Result(), 600, "done"),
        (Result(look_again=15), 15, "done"),
        (Result(refused=True), Backoff(2, 60).pause(1, key=str(A)), "done"),
        (RuntimeError("boom"), Backoff(2, 60).pause(1, key=str(A)), "error"),
        (ThrottledError("slow down", retry_after=30), 30, "error"),
        (None, None, "gone"),
    ],
)
async def test_the_answer_decides_the_next_time(queue, timers, answer, delay, outcome):
    notes = []
    work = Work(answer)
    controller = Controller(
        work, queue=queue, workers=1, resync=600, note=lambda result, _seconds: notes.append(result)
    )
    task = await worked(controller, work, A)
    assert [timer.when - timers.now for timer in timers.calls] == ([pytest.approx(delay)] if delay else [])
    assert notes == [outcome]
    await stopped(task)


async def test_two_keys_run_at_once_and_one_never_twice(queue):
    work = Work(Result(), Result())
    controller = Controller(work, queue=queue, workers=2, resync=600)
    task = await worked(controller, work, A, B, A, B)
    assert sorted(work.seen) == [A, B]
    assert work.most == 2
    await stopped(task)


async def test_what_the_liveness_probe_complains_about(queue, timers, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("modelport_operator.controller.controller.time.monotonic", lambda: clock[0])
    controller = Controller(Work(), queue=queue, workers=1, resync=600)
    assert controller.complaint(stuck=300) == ""
    clock[0] = 5000
    assert controller.complaint(stuck=300) == "", "no resource, nothing to do"
    queue.add_after(A, 600)
    assert "neither an event nor a resync" in controller.complaint(stuck=300)
    queue.add(A)
    timers.advance(301)
    await queue.get()
    timers.advance(301)
    assert "301 s" in controller.complaint(stuck=300)


async def test_the_end_of_a_worker_is_noticed(queue):
    work = Work(Result())
    controller = Controller(work, queue=queue, workers=1, resync=600)
    task = await worked(controller, work, A)
    await stopped(task)
    assert controller.complaint(stuck=300) == "a worker has ended"
