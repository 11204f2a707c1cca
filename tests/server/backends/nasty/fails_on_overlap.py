"""Is run by two threads at once never twice."""

import threading

from modelport_server.backends.base import DTYPES, Traits

TRAITS = Traits("nasty", DTYPES, DTYPES, takes_bytes=True, keeps_outputs=True, writes_inputs=False, alignment=0)
WAYS = ({},)


def during_a_run():
    """Do nothing; a test waits here for another run."""


def load(_folder, _files, _how):
    running = threading.Lock()

    def infer(inputs):
        if not running.acquire(blocking=False):
            raise RuntimeError("two runs of one instance at once")
        try:
            during_a_run()
            return {f"{name}_out": array.copy() for name, array in inputs.items()}
        finally:
            running.release()

    return infer
