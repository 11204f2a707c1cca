"""PyTorch: TorchScript, programs of torch.export, and modules with their code.

Threads of one operator are PyTorch's own, as many for each thread that runs a model; their number holds for the whole
process, in which one model is served.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

# threads that spin while they wait for work take the processors from those that receive and answer requests; libgomp
# reads it when it is loaded
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
import torch

from modelport.api.reasons import Reason
from modelport.asking.pytorch.naming import name_leaves
from modelport.asking.pytorch.tensors import to_array, to_tensor
from modelport.errors import ModelportError, describe_error, lacks_memory
from modelport.verification.arrays import Tensors
from modelport.verification.calls import Infer
from modelport_server.backends.base import DEFAULT, How, LoadOptions, Traits
from modelport_server.backends.pytorch.opening import OPENERS, Opened

_DTYPES = frozenset(
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 float64".split()  # noqa: SIM905
)
TRAITS = Traits(
    platform="pytorch",
    takes=_DTYPES,
    gives=_DTYPES,
    is_shared=True,
    keeps_outputs=True,  # they are copied here, because they may be weights, or views of them
    writes_inputs=False,  # for a model may, and is given copies
    alignment=0,
)
EXECUTOR = "executor"
SMALL_BYTES = 4 << 20
"""Weights up to this size are worth no second thread: threads wait for one another longer than they work."""
WAYS: tuple[LoadOptions, ...] = (
    DEFAULT,
    # TorchScript as it is written: its profiling executor rewrites a graph for the shapes that it has seen
    {EXECUTOR: "plain"},
)


def load(folder: Path, files: Sequence[str], how: How) -> Infer:
    """Load the one model, as it will serve. Raises ModelportError (RuntimeUnsupported)."""
    found = [name for name in files if name in OPENERS]
    if len(found) != 1:
        message = f"expected one file of {', '.join(OPENERS)}, found {', '.join(files):.200}"
        raise ModelportError(Reason.VERIFICATION_FAILED, message)
    (name,) = found
    opened = _open(folder / name, OPENERS[name])
    is_small = sum(each.nbytes for each in opened.model.parameters()) < SMALL_BYTES
    _limit_threads(1 if is_small else how.threads)
    return _make_run(opened, is_plain=how.options.get(EXECUTOR) == "plain")


def _open(path: Path, opener: Callable[[Path], Opened]) -> Opened:
    try:
        return opener(path)
    except ModelportError:
        raise
    except Exception as error:  # what PyTorch's readers raise has no common base
        if lacks_memory(error):
            raise
        message = f"PyTorch does not load {path.name}: {describe_error(error)}"
        raise ModelportError(Reason.RUNTIME_UNSUPPORTED, message) from error


def _limit_threads(threads: int) -> None:
    torch.set_num_threads(threads)
    with suppress(RuntimeError):  # it was said before, and nothing else ever says it
        torch.set_num_interop_threads(1)  # one graph's operators run one after the other


def _told_shortly(model: torch.nn.Module, given: list[torch.Tensor]) -> Any:
    """Return the model's answer, or raise what went wrong without TorchScript's traceback in front of it."""
    try:
        return model(*given)
    except RuntimeError as error:
        if not str(error).startswith(_TRACEBACK):
            raise
        raise RuntimeError(str(error).strip().rpartition("\n")[2]) from error


_TRACEBACK = "The following operation failed in the TorchScript interpreter"


def _make_run(opened: Opened, *, is_plain: bool) -> Infer:
    model, names = opened.model, opened.names

    def run(inputs: Tensors) -> Tensors:
        given = [to_tensor(inputs[name]) for name in names.inputs]
        with torch.inference_mode(), torch.jit.optimized_execution(not is_plain):
            answer: Any = _told_shortly(model, given)
        # graphs that converters write answer with a tuple; a script as its author wrote it may have any structure
        tensors = answer if type(answer) is tuple else name_leaves(answer, torch.Tensor).values()
        return {name: to_array(name, each) for name, each in zip(names.outputs, tensors, strict=True)}

    return run
