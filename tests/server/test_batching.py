"""Requests that run together: which, when, and that nobody notices."""

import asyncio
import threading

import numpy as np
import pytest

from modelport.api import Signature, Tensor
from modelport_server.batching import Batching, Settings, batch_dimension, in_company
from modelport_server.calls import Call, clock
from modelport_server.dataplane import guarded
from modelport_server.errors import ClientLeftError, DeadlineError, InferenceError, OverloadedError
from modelport_server.execution import Execution


class Model:
    """Doubles; keeps what it was asked, waits while it is told to, and fails on negative numbers."""

    def __init__(self):
        self.asked, self.go_on = [], threading.Event()
        self.go_on.set()

    def __call__(self, inputs):
        self.go_on.wait(10)
        self.asked.append(inputs["x"].tolist())
        if inputs["x"].min() < 0:
            raise ValueError("negative")
        return {"y": inputs["x"] * 2}


def batching_of(model, *, max_size=4, max_delay=0.02, max_queue=100, threads=1):
    execution = Execution(guarded(model), threads=threads, max_queue=max_queue)
    return Batching(execution, Settings(max_size, max_delay), max_queue=max_queue)


def rows(*values, dtype=np.float32, width=1):
    return {"x": np.array([[value] * width for value in values], dtype)}


async def ask(batching, inputs, **more):
    call = Call(clock(), **more)
    return (await batching.run(inputs, call))["y"].tolist()


def together(batching, *requests):
    async def gathered():
        return await asyncio.gather(*(ask(batching, each) for each in requests), return_exceptions=True)

    return asyncio.run(gathered())


def test_requests_that_come_together_run_together_and_get_their_own_rows():
    model = Model()
    assert together(batching_of(model), rows(1), rows(2, 3), rows(4)) == [[[2]], [[4], [6]], [[8]]]
    assert model.asked == [[[1], [2], [3], [4]]]


def test_a_batch_never_grows_beyond_its_size():
    model = Model()
    answers = together(batching_of(model), rows(1, 2, 3), rows(4, 5), rows(6, 7, 8, 9, 10))
    assert answers == [[[2], [4], [6]], [[8], [10]], [[12], [14], [16], [18], [20]]]
    assert sorted(map(len, model.asked)) == [2, 3, 5], "a request larger than a batch runs alone"


def test_shapes_never_mix():
    model = Model()
    together(batching_of(model), rows(1), rows(2, width=2), rows(3))
    assert sorted(model.asked) == [[[1], [3]], [[2, 2]]]


def test_a_lonely_request_waits_no_longer_than_the_delay():
    started = clock()
    assert together(batching_of(Model(), max_delay=0.05), rows(1)) == [[[2]]]
    assert 0.04 < clock() - started < 5


def test_while_the_model_is_busy_a_batch_goes_on_growing():
    model = Model()
    batching = batching_of(model, max_delay=0.001)

    async def story():
        model.go_on.clear()
        first = asyncio.create_task(ask(batching, rows(1)))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(ask(batching, rows(2)))
        await asyncio.sleep(0.05)
        third = asyncio.create_task(ask(batching, rows(3)))
        await asyncio.sleep(0.05)
        assert batching.waiting == 2
        model.go_on.set()
        return await asyncio.gather(first, second, third)

    assert asyncio.run(story()) == [[[2]], [[4]], [[6]]]
    assert model.asked == [[[1]], [[2], [3]]]


def test_one_bad_request_does_not_spoil_the_others():
    model = Model()
    good, bad, other = together(batching_of(model), rows(1), rows(-1), rows(3))
    assert (good, other) == ([[2]], [[6]])
    assert isinstance(bad, InferenceError)


def test_the_line_is_bounded():
    model = Model()
    batching = batching_of(model, max_delay=0.001, max_queue=2)

    async def story():
        model.go_on.clear()
        running = asyncio.create_task(ask(batching, rows(0)))
        await asyncio.sleep(0.05)
        waiting = [asyncio.create_task(ask(batching, rows(each))) for each in (1, 2)]
        await asyncio.sleep(0.05)
        with pytest.raises(OverloadedError, match="2 requests wait already"):
            await ask(batching, rows(3))
        model.go_on.set()
        assert await asyncio.gather(running, *waiting) == [[[0]], [[2]], [[4]]]
        assert batching.waiting == 0

    asyncio.run(story())


def test_who_gives_up_is_not_run():
    model = Model()
    batching = batching_of(model, max_delay=0.001)

    async def leave():
        await asyncio.sleep(0.05)

    async def late():
        call = Call(clock())
        call.expire_after(0.05)
        return await batching.run(rows(2), call)

    async def story():
        model.go_on.clear()
        running = asyncio.create_task(ask(batching, rows(0)))
        await asyncio.sleep(0.02)
        with pytest.raises(DeadlineError):
            await late()
        with pytest.raises(ClientLeftError):
            await ask(batching, rows(3), client_leaves=leave)
        model.go_on.set()
        assert await running == [[0]]
        assert await ask(batching, rows(4)) == [[8]]

    asyncio.run(story())
    assert model.asked == [[[0]], [[4]]]


def signature(inputs, outputs):
    return Signature(
        inputs=[Tensor(name=f"i{n}", dtype="float32", shape=shape) for n, shape in enumerate(inputs)],
        outputs=[Tensor(name=f"o{n}", dtype="float32", shape=shape) for n, shape in enumerate(outputs)],
    )


@pytest.mark.parametrize(
    ("inputs", "outputs", "expected"),
    [
        ([["n", 4]], [["n", 3]], "n"),
        ([["n", 4], ["n"]], [["n", 3]], "n"),
        ([["n", "t"]], [["n", "t", 8]], "n"),
        ([["n", 4], ["m"]], [["n", 3]], None),
        ([[1, 4]], [[1, 3]], None),
        ([["n", 4]], [["k", 3]], None),
        ([["n", 4]], [[3]], None),
        ([["n", 4], []], [["n"]], None),
        ([["n", "n"]], [["n", 3]], None),
    ],
)
def test_the_dimension_to_join_along(inputs, outputs, expected):
    assert batch_dimension(signature(inputs, outputs)) == expected


def test_rows_that_depend_on_each_other_are_noticed():
    asked = {"x": np.ones((2, 3), np.float32)}

    def alone(inputs):
        return {"y": inputs["x"] + 1}

    def mixed(inputs):
        return {"y": inputs["x"] - inputs["x"].mean()}

    np.testing.assert_array_equal(in_company(alone)(asked)["y"], alone(asked)["y"])
    assert not np.allclose(in_company(mixed)(asked)["y"], mixed(asked)["y"])
