"""Run backends by one rule: inputs stay as they are, outputs are the caller's own, and anybody may call at any time.

What a backend promises costs nothing here: its own function is called.
"""

from collections.abc import Sequence
from queue import SimpleQueue

import numpy as np

from modelport.verification.arrays import Array, Tensors
from modelport.verification.calls import Infer
from modelport_server.backends.base import Traits


def adapted(infer: Infer, traits: Traits) -> Infer:
    """Return what runs one instance of a backend and copies what must be copied."""
    if traits.writes_inputs or traits.alignment:
        infer = _with_inputs(infer, traits.alignment, always=traits.writes_inputs)
    return infer if traits.keeps_outputs else _with_copies(infer)


def one_at_a_time(instances: Sequence[Infer]) -> Infer:
    """Return what runs the instance that has been free for the longest; who finds none waits."""
    free = SimpleQueue[Infer]()
    for instance in instances:
        free.put(instance)

    def infer(inputs: Tensors) -> Tensors:
        instance = free.get()
        try:
            return instance(inputs)
        finally:
            free.put(instance)

    return infer


def _with_inputs(infer: Infer, alignment: int, *, always: bool) -> Infer:
    def run(inputs: Tensors) -> Tensors:
        return infer(
            {
                name: _placed(array, alignment) if always or not _fits(array, alignment) else array
                for name, array in inputs.items()
            }
        )

    return run


def _with_copies(infer: Infer) -> Infer:
    def run(inputs: Tensors) -> Tensors:
        return {name: array.copy() for name, array in infer(inputs).items()}

    return run


def _fits(array: Array, alignment: int) -> bool:
    return array.flags.c_contiguous and (array.dtype.hasobject or array.ctypes.data % alignment == 0)


def _placed(array: Array, alignment: int) -> Array:
    """Return a copy in row-major order that begins at a multiple of so many bytes."""
    if array.dtype.hasobject or not alignment:
        return array.copy()
    room = np.empty(array.nbytes + alignment, np.uint8)
    start = -room.ctypes.data % alignment
    placed = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    placed[...] = array
    return placed
