"""What every backend must pass: those of `modelport_server.backends`, and nasty ones (`nasty/`).

A runtime joins with one file that gives models: `cases/<runtime>.py`. Those that the tests' environment lacks are asked in
the one of their image (`test_runtimes`).
"""

import asyncio
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.runtimes import RUNTIMES
from modelport.verification.arrays import Array, Tensors
from modelport_server import backends
from modelport_server.backends.base import DTYPES, How, Traits
from modelport_server.dataplane.calls import Call, clock
from modelport_server.dataplane.plane import DataPlane
from modelport_server.errors import BadRequestError
from modelport_server.execution import loading
from modelport_server.execution.running import Execution, guarded
from modelport_server.execution.threads import share
from modelport_server.protocol.messages import InputTensor
from modelport_server.protocol.payloads import RawPayload, to_raw
from modelport_server.strings import strings, to_string
from server.backends.cases import cases_of, identity_case, identity_of
from server.backends.runtimes import HERE, ONLY
from server.models import BY_DTYPE

NASTY = Path(__file__).with_name("nasty")
FOUND, OURS = loading.names(), HERE
NASTIES = [] if ONLY in os.environ else sorted(each.stem for each in NASTY.glob("[!_]*.py"))
SECONDS = 30
CLIENTS, CALLS = 8, 1_000
MORE_BYTES = 8 << 20
"""That allocators may come to hold beside; 16 KiB that each call left behind would be as much."""
NO_TEXT = b"\xff\x00\xfe"


@pytest.fixture(scope="module", autouse=True)
def _nasty():
    """Let backends be found in a folder of tests, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backends, "__path__", [*backends.__path__, str(NASTY)])
        yield


@pytest.fixture(scope="module", params=[*OURS, *NASTIES])
def runtime(request):
    return request.param


@pytest.fixture(scope="module")
def traits(runtime):
    return loading.find(runtime).TRAITS


@pytest.fixture(scope="module")
def cases(runtime, traits, tmp_path_factory):
    folder = tmp_path_factory.mktemp(runtime)
    if runtime in NASTIES:
        return [identity_case("identity", folder, [], identity_of(sorted(traits.takes)))]
    return cases_of(runtime, folder)


@pytest.fixture
def load(runtime):
    """Load a case, as a server does for so many runs at once."""

    def loaded(case, runs=1, **how):
        return loading.load(runtime, case.folder, case.files, How(**how), runs=runs)

    return loaded


def right(case, inputs: Tensors, outputs: Tensors) -> None:
    expected = case.answer(inputs)
    assert list(outputs) == list(expected)
    for name, array in expected.items():
        assert (outputs[name].dtype, outputs[name].shape) == (array.dtype, array.shape), name
        if case.tolerance:
            np.testing.assert_allclose(outputs[name], array, rtol=0, atol=case.tolerance, err_msg=name)
        else:
            np.testing.assert_array_equal(outputs[name], array, err_msg=name)


def frozen(inputs: Tensors) -> Tensors:
    """Return inputs as requests have them: nobody may write into them."""
    copies = {name: array.copy() for name, array in inputs.items()}
    for array in copies.values():
        array.flags.writeable = False
    return copies


# --- what a backend says of itself ----------------------------------------------------------------------------------


def test_every_runtime_has_a_backend_of_its_name():
    assert sorted(FOUND) == sorted(RUNTIMES)


def test_the_first_way_is_the_default(runtime):
    first, *others = loading.find(runtime).WAYS
    assert first == {}
    assert {} not in others


def test_every_element_type_is_in_a_case(cases, traits):
    taken = {tensor.dtype for case in cases for tensor in case.signature.inputs}
    given = {tensor.dtype for case in cases for tensor in case.signature.outputs}
    assert (taken, given) == (traits.takes, traits.gives)
    assert traits.takes | traits.gives <= DTYPES


def test_other_element_types_are_refused_before_anything_is_loaded(runtime, traits, cases):
    for case in cases:
        loading.check_types(runtime, traits, case.signature)
    narrow = traits._replace(takes=traits.takes - {"float32"})
    with pytest.raises(ModelportError, match=r"input float32: expected an element type of .*, found float32") as caught:
        loading.check_types(runtime, narrow, identity_of(["float32"]))
    assert caught.value.reason is Reason.RUNTIME_UNSUPPORTED
    narrow = traits._replace(gives=traits.gives - {"float32"})
    with pytest.raises(ModelportError, match="output float32_out: expected"):
        loading.check_types(runtime, narrow, identity_of(["float32"]))


def test_other_devices_are_refused(cases, load):
    with pytest.raises(ModelportError, match=r"expected a device of cpu for \w+, found cuda") as caught:
        load(cases[0], device="cuda")
    assert caught.value.reason is Reason.RUNTIME_UNSUPPORTED


def test_a_runtime_of_another_image_is_told():
    with pytest.raises(ModelportError, match=r"expected one of .*onnxruntime.*, found other; use the server image"):
        loading.find("other")
    with pytest.raises(ModelportError, match="found base;"):
        loading.find("base")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (
            "import a_package_that_nobody_has",
            "found: No module named 'a_package_that_nobody_has'; use the server image",
        ),
        ("raise ImportError('libone.so: cannot open')", "found: libone.so: cannot open$"),
    ],
)
def test_packages_that_are_of_another_image_or_do_not_load_are_told(tmp_path, monkeypatch, code, told):
    (tmp_path / "lacking.py").write_text(code)
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, f"{backends.__name__}.lacking", raising=False)
    with pytest.raises(ModelportError, match=f"expected the packages of lacking in this image, {told}"):
        loading.find("lacking")


# --- what it answers ------------------------------------------------------------------------------------------------


def test_answers_are_right_in_every_way(runtime, cases, load):
    for case in cases:
        for options in loading.find(runtime).WAYS:
            infer = load(case, options=options)
            for inputs in case.questions:
                right(case, inputs, infer(frozen(inputs)))


def test_answers_are_the_callers_own(cases, load):
    for case in cases:
        infer, (first, second) = load(case), case.questions
        answered = infer(first)
        infer(second)
        again = infer(first)
        right(case, first, answered)
        for name, array in answered.items():
            others = [*first.values(), again[name]]
            assert not any(np.shares_memory(array, each) for each in others), name


def test_inputs_stay_as_they_are(cases, load):
    for case in cases:
        infer, inputs = load(case), case.questions[0]
        given = {name: array.copy() for name, array in inputs.items()}
        infer(given)
        for name, array in given.items():
            np.testing.assert_array_equal(array, inputs[name], err_msg=name)


def unaligned(array: Array) -> Array:
    """Return the array at an odd address, as a view of a request's body can be."""
    if array.dtype == object:
        return array
    room = np.empty(array.nbytes + 1, np.uint8)
    start = 1 - room.ctypes.data % 2
    moved = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    moved[...] = array
    return moved


@pytest.mark.parametrize("lay", [unaligned, np.asfortranarray], ids=["unaligned", "columns first"])
def test_inputs_may_be_anywhere_and_in_any_order(cases, load, lay):
    for case in cases:
        infer, inputs = load(case), case.questions[1]
        right(case, inputs, infer({name: lay(array) for name, array in inputs.items()}))


def test_no_more_threads_are_started_than_told(cases, traits, load):
    threads = share(4, traits.most_threads)
    before = threads_of_this_process()
    infer = load(cases[0], threads=threads.per_run)
    for _ in range(3):
        infer(cases[0].questions[0])
    assert threads_of_this_process() - before <= threads.per_run


def threads_of_this_process() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


# --- through the data plane -----------------------------------------------------------------------------------------


class Plane:
    """A case behind the data plane."""

    def __init__(self, infer, traits: Traits, case, runs: int) -> None:
        self.execution = Execution(guarded(infer), runs=runs, max_queue=99, takes_more=traits.has_one_instance)
        self.plane = DataPlane(
            name="net",
            platform=traits.platform,
            signature=case.signature,
            lengths={},
            takes_bytes=traits.takes_bytes,
            runner=self.execution,
        )

    def ask(self, inputs: Tensors):
        """Read a request that brings these inputs raw."""
        given = [
            InputTensor(name, BY_DTYPE[_dtype(array)].name, list(array.shape), RawPayload(bytes(to_raw(array))))
            for name, array in inputs.items()
        ]
        return self.plane.read(given, [], Call(clock()))


def _dtype(array: Array) -> str:
    return "string" if array.dtype == object else array.dtype.name


@pytest.fixture
def planes(runtime, traits, cases, load):
    """Return each case behind a data plane, for two runs at once."""
    found = [(case, Plane(load(case, runs=2), traits, case, runs=2)) for case in cases]
    yield found
    for _, plane in found:
        plane.execution.close()


async def asked(plane: Plane, inputs: Tensors) -> Tensors:
    return dict(await plane.ask(inputs).outputs())


def test_overlapping_requests_get_their_own_answers(planes):
    async def story(case, plane):
        questions = [case.questions[number % 2] for number in range(20)]
        answers = await asyncio.gather(*(asked(plane, each) for each in questions))
        for inputs, outputs in zip(questions, answers, strict=True):
            right(case, inputs, outputs)

    for case, plane in planes:
        asyncio.run(story(case, plane))


def test_a_thousand_overlapping_calls_are_right_and_leave_no_memory_behind(planes):
    async def client(case, plane, number, calls):
        inputs = {name: np.roll(array, number) for name, array in case.questions[number % 2].items()}
        for _ in range(calls):
            right(case, inputs, await asked(plane, inputs))

    async def story(case, plane, calls):
        await asyncio.gather(*(client(case, plane, number, calls // CLIENTS) for number in range(CLIENTS)))

    for case, plane in planes:
        asyncio.run(story(case, plane, CALLS // 2))
        before = resident_bytes()
        asyncio.run(story(case, plane, CALLS // 2))
        assert resident_bytes() - before < MORE_BYTES, case.name


def resident_bytes() -> int:
    """Return the memory of this process that is in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_answers_wait_to_be_written_while_others_are_run(planes):
    """As requests do that come in one turn of the event loop, or whose clients read slowly."""
    for case, plane in planes:
        for inputs in case.questions:
            plane.execution.measure(inputs)
        first, second = (plane.ask(inputs) for inputs in case.questions)
        first.run()
        second.run()
        for question, inputs in ((first, case.questions[0]), (second, case.questions[1])):
            outputs = question.result()
            # such a small model runs at once, unless the machine was so busy that it seemed to take long
            right(case, inputs, dict(outputs if isinstance(outputs, list) else asyncio.run(outputs)))


def test_strings_that_are_no_text_are_answered_or_refused_by_name(traits, planes):
    for case, plane in planes:
        inputs, _ = case.questions
        given = {name: _no_text(array) if array.dtype == object else array for name, array in inputs.items()}
        if "string" not in map(_dtype, given.values()):
            continue
        if traits.takes_bytes:
            right(case, given, asyncio.run(asked(plane, given)))
        else:
            with pytest.raises(
                BadRequestError, match=r"^inputs\[\w+\]: expected strings of UTF-8, .* found other bytes"
            ):
                plane.ask(given)


def _no_text(array: Array) -> Array:
    return strings([to_string(NO_TEXT)] * array.size).reshape(array.shape)


# --- the nasty ones are nasty ---------------------------------------------------------------------------------------


def test_two_instances_run_at_once_and_each_for_one_caller(tmp_path, monkeypatch):
    backend = loading.find("fails_on_overlap")
    together = threading.Barrier(2)
    monkeypatch.setattr(backend, "during_a_run", lambda: together.wait(SECONDS))
    case = identity_case("identity", tmp_path, [], identity_of(["float32"]))
    plane = Plane(loading.load("fails_on_overlap", tmp_path, [], How(), runs=2), backend.TRAITS, case, runs=2)

    async def story():
        return await asyncio.gather(*(asked(plane, case.questions[number % 2]) for number in range(4)))

    for number, outputs in enumerate(asyncio.run(story())):
        right(case, case.questions[number % 2], outputs)
    plane.execution.close()


@pytest.mark.parametrize("name", NASTIES)
def test_a_nasty_backend_fails_without_what_the_server_does_for_it(name, tmp_path, monkeypatch):
    """Else it would prove nothing above."""
    backend = loading.find(name)
    infer, case = backend.load(tmp_path, [], How()), identity_case("identity", tmp_path, [], identity_of(["float32"]))
    given, second = ({each: array.copy() for each, array in inputs.items()} for inputs in case.questions)
    if name == "fails_on_overlap":
        monkeypatch.setattr(backend, "during_a_run", lambda: infer(second))

    def story():
        answered = infer(given)
        infer({each: unaligned(array) for each, array in second.items()})
        right(case, case.questions[0], answered)
        np.testing.assert_equal(given, case.questions[0])

    with pytest.raises((AssertionError, RuntimeError)):
        story()
