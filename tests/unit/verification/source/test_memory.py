"""A model that lacks memory, at whichever of its calls: that is about the machine, and no answer of the model's."""

import errno

import numpy as np
import pytest

from builders import convert_request
from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.api.status import Signature, Tensor
from modelport.errors import ModelportError, lacks_memory
from modelport.verification.reference import Reference, Sample
from modelport.verification.source.model import Source, ask_source
from modelport.verification.verdict.companies import find_companies

ONNXRUNTIME = (
    "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running MatMul node. Name:'m' "
    "Status Message: bfc_arena.cc:347 AllocateRawInternal Failed to allocate memory for requested buffer of size 8192"
)
TORCH = (
    "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
    "4000000000000 bytes. Error code 12 (Cannot allocate memory)"
)


def raised_from(cause, error):
    error.__cause__ = cause
    return error


LACKING = {
    "Python's": MemoryError(),
    "numpy's": np._core._exceptions._ArrayMemoryError((1 << 50,), np.dtype("float32")),
    "ONNX Runtime's": RuntimeError(ONNXRUNTIME),
    "PyTorch's": RuntimeError(TORCH),
    "C++'s": RuntimeError("std::bad_alloc"),
    "the kernel's": OSError(errno.ENOMEM, "Cannot allocate memory"),
    "behind ours": raised_from(MemoryError(), ModelportError(Reason.CONVERSION_FAILED, "simplify fails")),
    "behind two": raised_from(raised_from(RuntimeError(TORCH), ValueError("no")), RuntimeError("no")),
}


@pytest.mark.parametrize("error", LACKING.values(), ids=LACKING)
def test_a_lack_of_memory_is_known_by_whoever_tells_it(error):
    assert lacks_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        ModelportError(Reason.SOURCE_CORRUPT, "failed to allocate memory: a word of a user's file"),
        OSError(errno.ENOSPC, "No space left on device"),
        SystemExit(1),
    ],
)
def test_other_errors_are_no_lack_of_memory(error):
    assert not lacks_memory(error)


class Failing:
    """Answers until it has been asked so often, and then lacks memory once."""

    def __init__(self, last=None):
        self.count, self._last = 0, last

    def __call__(self, tensors):
        self.count += 1
        if self.count == self._last:
            raise RuntimeError(TORCH)
        return {"y": tensors["x"] * 2}


def ask_it(run):
    ask_source(Source([Input(name="x", shape=["batch", 4])], run), convert_request(), [])


def join_it(run):
    rows = [Tensor(name=name, dtype="float32", shape=["batch", 4]) for name in ("x", "y")]
    inputs = [{"x": np.random.default_rng(size).standard_normal((size, 4)).astype(np.float32)} for size in (1, 4, 9)]
    find_companies(
        run, Reference(tuple(Sample((each,), ({},)) for each in inputs)), Signature(inputs=[rows[0]], outputs=[rows[1]])
    )


@pytest.mark.parametrize("use", [ask_it, join_it])
def test_it_is_the_models_answer_at_no_call(use):
    counting = Failing()
    use(counting)
    assert counting.count > 10
    for last in range(1, counting.count + 1, 2):
        with pytest.raises(RuntimeError, match="DefaultCPUAllocator"):
            use(Failing(last))


def test_an_error_that_is_its_own_cause_has_an_end():
    """Errors that go through Cython, as h5py's callbacks, can be."""
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert not lacks_memory(first)
    second.__cause__ = MemoryError()
    assert lacks_memory(first)
