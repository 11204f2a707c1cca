"""Does all of it, and has but one thread and few types."""

import threading

import numpy as np

from modelport_server.backends.base import Traits

DTYPES = frozenset({"float32", "int64", "string"})
TRAITS = Traits("nasty", DTYPES, DTYPES, most_threads=1)
WAYS = ({},)


def load(_folder, _files, how):
    assert how.threads == 1
    running, room = threading.Lock(), {}

    def infer(inputs):
        if not running.acquire(blocking=False):
            raise RuntimeError("two runs of one instance at once")
        try:
            answers = {}
            for name, array in inputs.items():
                if not array.flags.c_contiguous or (array.dtype != object and array.ctypes.data % 64):
                    raise RuntimeError(f"{name} is not where it must be")
                kept = room.setdefault(name, np.empty(1 << 12, array.dtype))[: array.size].reshape(array.shape)
                kept[...] = array
                array[...] = "" if array.dtype == object else 0
                answers[f"{name}_out"] = kept
            return answers
        finally:
            running.release()

    return infer
