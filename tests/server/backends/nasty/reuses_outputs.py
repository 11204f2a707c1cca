"""Answers with the same memory each time."""

import numpy as np

from modelport_server.backends.base import DTYPES, Traits

TRAITS = Traits("nasty", DTYPES, DTYPES, takes_bytes=True, is_shared=True, writes_inputs=False, alignment=0)
WAYS = ({},)
ROOM = 1 << 12


def load(_folder, _files, _how):
    room = {}

    def infer(inputs):
        answers = {}
        for name, array in inputs.items():
            kept = room.setdefault(name, np.empty(ROOM, array.dtype))[: array.size].reshape(array.shape)
            kept[...] = array
            answers[f"{name}_out"] = kept
        return answers

    return infer
