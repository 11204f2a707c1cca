"""TVM: machine code that the converter compiled, run by the virtual machine of TVM's runtime library alone.

The library is loaded without TVM's Python package, which is a compiler's: `apache_tvm_ffi` calls it. A model is
`model.so` with its functions, and `model.params` with what `main` takes after the inputs.
"""

import ctypes
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# before the library is loaded: its threads neither spin while they wait, nor bind themselves to processors
os.environ.setdefault("TVM_THREAD_POOL_SPIN_COUNT", "0")
os.environ.setdefault("TVM_BIND_THREADS", "0")
import numpy as np
import tvm_ffi

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array, Tensors
from modelport.verification.calls import Infer
from modelport_server.backends.base import DEFAULT, How, LoadOptions, Traits

TYPES = frozenset(
    {"bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"}
)
TRAITS = Traits(
    platform="tvm",
    takes=TYPES,
    gives=TYPES,
    is_shared=False,  # a virtual machine has one stack
    keeps_outputs=False,  # they may be views of inputs or weights
    writes_inputs=False,
    alignment=64,
)
WAYS: tuple[LoadOptions, ...] = (DEFAULT,)
LIBRARY, PARAMETERS = "model.so", "model.params"
CPU, POOLED = 1, 2
"""Number of the device in DLPack, and of the allocator that keeps its memory, in the runtime's memory manager."""


def _load_runtime() -> list[ctypes.CDLL]:
    """Load the runtime, and what compiled code calls for sorting, beside where TVM's package would be."""
    found = importlib.util.find_spec("tvm")
    if found is None or not found.submodule_search_locations:
        raise ImportError("tvm")  # of another image
    folder = Path(found.submodule_search_locations[0]) / "lib"
    names = ("libtvm_runtime.so", "libtvm_runtime_extra.so")
    return [ctypes.CDLL(str(folder / name), ctypes.RTLD_GLOBAL) for name in names]


_LIBRARIES = _load_runtime()


def load(folder: Path, files: Sequence[str], how: How) -> Infer:
    """Load the library and its parameters. Raises ModelportError (RuntimeUnsupported)."""
    if missing := {LIBRARY, PARAMETERS} - set(files):
        told = f"expected {LIBRARY} and {PARAMETERS}, found {', '.join(files) or 'no files':.200}"
        raise ModelportError(Reason.VERIFICATION_FAILED, f"{told}: no {', '.join(sorted(missing))}")
    os.environ["TVM_NUM_THREADS"] = str(how.threads)
    try:
        machine = tvm_ffi.load_module(str(folder / LIBRARY))["vm_load_executable"]()
        machine["vm_initialization"](CPU, 0, POOLED)
        parameters = tvm_ffi.get_global_func("runtime.LoadParams")((folder / PARAMETERS).read_bytes())
        names, outputs = ([str(each) for each in machine[each]()] for each in ("input_names", "output_names"))
        rest = [parameters[f"parameter_{number}"] for number in range(len(parameters))]
        main = machine["main"]
    except Exception as error:  # its errors have no common base
        told = " ".join(str(error).split())
        raise ModelportError(Reason.RUNTIME_UNSUPPORTED, f"TVM does not load the model: {told:.300}") from error

    def infer(inputs: Tensors) -> Tensors:
        given = main(*(_given(inputs[name]) for name in names), *rest)
        values = [given] if len(outputs) == 1 else list(given)
        return {name: np.from_dlpack(value) for name, value in zip(outputs, values, strict=True)}

    return infer


def _given(array: Array) -> Any:
    """Return an array as the runtime takes it, without a copy."""
    if not array.flags.writeable and array.size:
        # DLPack tells nobody that an array may not be written to; compiled code never writes into its inputs
        room = (ctypes.c_char * array.nbytes).from_address(array.ctypes.data)
        array = np.frombuffer(memoryview(room), array.dtype).reshape(array.shape)
    return tvm_ffi.from_dlpack(array if array.flags.writeable else array.copy())
