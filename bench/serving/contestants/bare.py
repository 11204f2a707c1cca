"""ONNX Runtime and numpy alone, in the environment of our server: `python -c … time|hold FOLDER [BATCH]`.

`time` prints the median of a call in milliseconds; `hold` asks once, says so, and waits until its input ends.
"""

import sys
import time

import numpy as np
import onnxruntime

CALLS = 2000
DTYPES = {"tensor(float)": "float32", "tensor(int64)": "int64"}


def main(act: str, folder: str, batch: str = "1") -> None:
    """Load the model with one thread and ask it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(f"{folder}/model/model.onnx", options, providers=["CPUExecutionProvider"])
    asked = {}
    for each in session.get_inputs():
        shape = [int(batch), *(length if isinstance(length, int) else 8 for length in each.shape[1:])]
        asked[each.name] = np.ones(shape, DTYPES[each.type])
    session.run(None, asked)
    if act == "hold":
        print("ready", flush=True)
        sys.stdin.read()
        return
    times: list[float] = []
    until = time.perf_counter() + 3
    while len(times) < CALLS and time.perf_counter() < until:
        started = time.perf_counter()
        session.run(None, asked)
        times.append(time.perf_counter() - started)
    print(float(np.median(times)) * 1e3)


main(*sys.argv[1:])
