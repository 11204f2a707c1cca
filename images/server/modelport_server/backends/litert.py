"""LiteRT: the first graph of a flatbuffer, under the names of its signature.

An interpreter has its inputs and outputs as buffers of its own, for one run at a time. It allocates them anew where an
input has other lengths than in the run before.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from modelport.api.reasons import Reason
from modelport.asking.litert.naming import SERVING, name_details, name_output
from modelport.errors import ModelportError, describe_error, lacks_memory
from modelport.verification.arrays import Array, Tensors
from modelport.verification.calls import Infer
from modelport_server.backends.base import DEFAULT, DTYPES, How, LoadOptions, Traits
from modelport_server.strings import to_bytes, to_string

TRAITS = Traits(
    platform="litert_tflite",
    takes=DTYPES,
    gives=DTYPES,
    takes_bytes=True,
    keeps_outputs=True,
    writes_inputs=False,
    alignment=0,
)
KERNELS = "kernels"
WAYS: tuple[LoadOptions, ...] = (
    DEFAULT,  # XNNPACK's where it has one
    {KERNELS: "builtin"},
    {KERNELS: "reference"},
)
RESOLVERS = {
    "builtin": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "reference": OpResolverType.BUILTIN_REF,
}
SUFFIX = ".tflite"
_UNKNOWN = re.compile(r"unresolved custom op: ([\w.]+)|Didn't find op for builtin opcode '(\w+)' version '(\d+)'")


def load(folder: Path, files: Sequence[str], how: How) -> Infer:
    """Load the one model. Raises ModelportError (RuntimeUnsupported)."""
    models = [name for name in files if name.endswith(SUFFIX)]
    if len(models) != 1:
        raise ModelportError(Reason.VERIFICATION_FAILED, f"expected one *{SUFFIX} file, found {', '.join(files):.200}")
    path = folder / models[0]
    try:
        interpreter = _open(path, how)
        inputs, outputs = _name_tensors(interpreter)
    except Exception as error:  # of no common base
        if isinstance(error, ModelportError) or lacks_memory(error):
            raise
        raise ModelportError(Reason.RUNTIME_UNSUPPORTED, _explain(error, path)) from error
    return _make_infer(interpreter, inputs, outputs)


def _open(path: Path, how: How) -> Any:
    """Return what runs the model, ready for inputs of the lengths in the file."""
    interpreter = _interpret(path, how)
    try:
        interpreter.allocate_tensors()
    except RuntimeError as error:
        is_free = any(-1 in each["shape_signature"] for each in interpreter.get_input_details())
        if _UNKNOWN.search(str(error)) or not is_free:
            raise
        return _interpret(path, how)  # free lengths are 1 in the file, and no image may be so small
    return interpreter


def _interpret(path: Path, how: How) -> Any:
    return Interpreter(
        model_path=str(path),
        num_threads=how.threads,
        experimental_op_resolver_type=RESOLVERS.get(how.options.get(KERNELS, ""), OpResolverType.AUTO),
    )


def _name_tensors(interpreter: Any) -> tuple[dict[str, int], dict[str, int]]:
    """Return the numbers of the tensors that go in and come out, by name, in the order of the source's."""
    signatures = interpreter.get_signature_list()
    if not signatures:
        sides = (name_details(interpreter.get_input_details()), name_details(interpreter.get_output_details()))
    else:
        name = SERVING if SERVING in signatures or len(signatures) != 1 else next(iter(signatures))
        if name not in signatures:
            message = f"expected a signature {SERVING}, or one alone, found {', '.join(signatures):.200}"
            raise ModelportError(Reason.RUNTIME_UNSUPPORTED, message)
        runner = interpreter.get_signature_runner(name)
        sides = (runner.get_input_details(), runner.get_output_details())
    inputs = {name: int(each["index"]) for name, each in sides[0].items()}
    return inputs, {name_output(name, inputs): int(each["index"]) for name, each in sides[1].items()}


def _make_infer(interpreter: Any, inputs: Mapping[str, int], outputs: Mapping[str, int]) -> Infer:
    strings = {each["index"] for each in interpreter.get_input_details() if each["dtype"] in (np.bytes_, np.object_)}
    allocated: dict[str, tuple[int, ...]] = {}

    def infer(given: Tensors) -> Tensors:
        arrays = {name: given[name] for name in inputs}
        lengths = {name: array.shape for name, array in arrays.items()}
        if lengths != allocated:
            allocated.clear()  # a run that fails leaves buffers of other lengths behind
            for name, shape in lengths.items():
                interpreter.resize_tensor_input(inputs[name], shape)
            interpreter.allocate_tensors()
            allocated.update(lengths)
        for name, array in arrays.items():
            interpreter.set_tensor(inputs[name], _to_bytes(array) if inputs[name] in strings else array)
        interpreter.invoke()
        return {name: _to_strings(interpreter.get_tensor(number)) for name, number in outputs.items()}

    return infer


def _to_bytes(array: Array) -> Array:
    changed = np.empty(array.size, object)
    changed[:] = [to_bytes(each) for each in array.flat]
    return changed.reshape(array.shape)


def _to_strings(array: Array) -> Array:
    """Return an answer; one of strings has them as bytes."""
    if array.dtype.kind not in "OS":
        return array
    changed = np.empty(array.size, object)
    changed[:] = [to_string(bytes(each)) for each in array.flat]
    return changed.reshape(array.shape)


def _explain(error: Exception, path: Path) -> str:
    found = _UNKNOWN.search(str(error))
    if found:
        operator = found[1] or f"{found[2]} (version {found[3]})"
        return f"LiteRT has no operator {operator:.100}; write the layer with built-in ones"
    return f"LiteRT does not load the model: {describe_error(error).replace(f'{path.parent}/', '')}"
