"""Requests that run together: which, when, and that nobody notices."""

import asyncio
import threading

import numpy as np
import pytest

from modelport.api.status import Signature, Tensor
from modelport.storage.manifests import ArtifactManifest, Lengths, ReferenceFacts
from modelport_server.dataplane.calls import Call, clock
from modelport_server.errors import ClientLeftError, DeadlineError, InferenceError, OverloadedError
from modelport_server.execution.batching import Batching, Settings
from modelport_server.execution.running import Execution, guarded
from modelport_server.serving.serve import decide_joins


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


def batching_of(model, *, max_size=4, max_delay=0.02, max_queue=100, runs=1):
    execution = Execution(guarded(model), runs=runs, max_queue=max_queue)
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


class Unequal:
    """Answers with a row less than it is asked for, as soon as it is asked for more than one."""

    def __init__(self):
        self.asked = []

    def __call__(self, inputs):
        self.asked.append(len(inputs["x"]))
        return {"y": inputs["x"][: max(1, len(inputs["x"]) - 1)] * 2}


def test_a_batch_with_other_rows_than_were_asked_is_never_cut_into_answers():
    model = Unequal()
    assert together(batching_of(model), rows(1), rows(2), rows(3)) == [[[2]], [[4]], [[6]]]
    assert model.asked == [3, 1, 1, 1], "each is answered as it would be alone"


def test_a_request_with_other_rows_than_asked_fails_alone():
    (answer,) = together(batching_of(Unequal()), rows(1, 2))
    assert isinstance(answer, InferenceError)
    assert str(answer) == "outputs[y]: expected 2 rows, found [1, 1]"


def manifest_of(shape, **more):
    return ArtifactManifest(
        key="",
        format="onnx",
        runtime="onnxruntime",
        source_digest="",
        source_format="onnx",
        path=["onnx"],
        signature=Signature(
            inputs=[Tensor(name="x", dtype="float32", shape=shape)],
            outputs=[Tensor(name="y", dtype="float32", shape=shape)],
        ),
        files=[],
        reference=ReferenceFacts(digest="", samples=8, version=1),
        **more,
    )


WANTED = Settings(16, 0.002)


@pytest.mark.parametrize(
    ("manifest", "wanted", "settings", "refused"),
    [
        (manifest_of(["n", 2], has_independent_rows=True), None, None, None),
        (manifest_of(["n", 2], has_independent_rows=True), WANTED, WANTED, None),
        (manifest_of(["n", 2]), WANTED, None, "rows of this model were not proved to be independent of one another"),
        (manifest_of([1, 2]), WANTED, None, "inputs and outputs have no free first dimension of the same name"),
        (
            manifest_of(["n", 2], has_independent_rows=True, lengths={"n": Lengths(min=1)}),
            WANTED,
            WANTED,
            None,
        ),
        (
            manifest_of(["n", 2], has_independent_rows=True, lengths={"n": Lengths(min=1, max=12)}),
            WANTED,
            Settings(12, 0.002),
            None,
        ),
        (
            manifest_of(["n", 2], has_independent_rows=True, lengths={"n": Lengths(min=1, max=99)}),
            WANTED,
            WANTED,
            None,
        ),
    ],
)
def test_requests_are_joined_where_that_was_proved_and_no_further_than_it_was(manifest, wanted, settings, refused):
    assert decide_joins(wanted, manifest) == (settings, refused)
