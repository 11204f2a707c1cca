"""Loops of requests without a pause in between, over REST and over gRPC: the programs that run in the client's pod, and
what they must have seen.
"""

import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from uv import find_uv_bin

from e2e.sources.models import Model

PROTOCOLS = ("rest", "grpc")
GRPC_PORT = 8081
PACKAGES = "/scratch/packages"
"""Where the client's pod has tritonclient."""
_NEEDED = ("tritonclient", "grpcio", "protobuf", "python-rapidjson", "packaging", "ml-dtypes", "typing-extensions")
_LOCK = Path(__file__).parents[3] / "requirements.lock"
_IMAGE_PYTHON = "3.11"
"""Python of the image that the client runs in, whose numpy it uses."""
LOOP = """
import json, pathlib, sys, threading, time, urllib.request
folder = pathlib.Path(sys.argv[1])
jobs = json.loads((folder / "jobs").read_text())
seen = [{"requests": 0, "failures": [], "answers": []} for job in jobs]
def asking_rest(job):
    data = json.dumps(job["body"]).encode()
    def ask():
        request = urllib.request.Request(job["url"], data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as response:
            return [output["data"] for output in json.load(response)["outputs"]]
    return ask
def asking_grpc(job):
    import numpy
    from tritonclient.grpc import InferenceServerClient, InferInput
    (tensor,) = job["body"]["inputs"]
    given = InferInput(tensor["name"], tensor["shape"], tensor["datatype"])
    given.set_data_from_numpy(numpy.array(tensor["data"], numpy.float32).reshape(tensor["shape"]))
    client = InferenceServerClient(job["url"])  # one channel for all requests, which must find its way by itself
    def ask():
        result = client.infer(job["model"], [given], client_timeout=30)
        return [result.as_numpy(output.name).ravel().tolist() for output in result.get_response().outputs]
    return ask
def run(job, mine):
    ask = None
    while not (folder / "stop").exists():
        time.sleep(0.05)
        mine["requests"] += 1
        started = time.time()
        try:
            ask = ask or {"rest": asking_rest, "grpc": asking_grpc}[job["protocol"]](job)
            answer = ask()
            if not mine["answers"] or mine["answers"][-1] != answer:
                mine["answers"].append(answer)
        except Exception as error:
            mine["failures"].append(f"{started:.3f} +{time.time() - started:.3f}: {type(error).__name__}: {error}")
threads = [threading.Thread(target=run, args=each) for each in zip(jobs, seen)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
(folder / "seen.new").write_text(json.dumps(seen))
(folder / "seen.new").rename(folder / "seen")
"""
START = f"""
import os, pathlib, subprocess, sys, tempfile
folder = pathlib.Path(tempfile.mkdtemp(dir="/scratch"))
(folder / "jobs").write_text(sys.stdin.read())
log = (folder / "log").open("w")
command = ["python3", "-c", {LOOP!r}, str(folder)]
environment = {{**os.environ, "PYTHONPATH": {PACKAGES!r}}}
subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
print(folder)
"""
STOP = """
import pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
(folder / "stop").touch()
for attempt in range(300):
    if (folder / "seen").exists():
        print((folder / "seen").read_text())
        break
    time.sleep(0.05)
else:
    sys.exit("the loop left no result: " + (folder / "log").read_text())
"""


class Loop(NamedTuple):
    """What a loop of requests saw."""

    protocol: str
    requests: int
    failures: list[str]
    answers: list[list[Any]]
    """Distinct answers, in the order in which they came."""


Seen = list[Loop]
"""What the loops of requests to one Service saw, over REST and over gRPC; filled when they have ended."""


def install_packages(folder: Path) -> None:
    """Install what the loops need beside the client's image: the versions of the lock, for the image's Python."""
    target = ("--target", str(folder), "--python-version", _IMAGE_PYTHON, "--python-platform", "x86_64-manylinux_2_28")
    options = ("--quiet", "--no-deps", "--only-binary", ":all:", "--constraint", str(_LOCK))
    subprocess.run([find_uv_bin(), "pip", "install", *options, *target, *_NEEDED], check=True)


def is_answer_of(answer: list[Any], model: Model) -> bool:
    """Whether what a loop saw is the model's answer."""
    return all(
        np.allclose(np.asarray(mine, np.float32).ravel(), expected.ravel(), rtol=1e-4, atol=1e-5)
        for mine, expected in zip(answer, model.answers, strict=True)
    )


def check_unbroken(seen: Seen, *models: Model) -> None:
    """Assert that no loop had a failed request, and each saw exactly the answers of the models, in this order."""
    assert {loop.protocol for loop in seen} == set(PROTOCOLS)
    for loop in seen:
        numbers = _numbers(loop, models)
        missing = f"{loop.protocol}: expected the answers of all {len(models)} models, found {numbers}"
        assert set(numbers) == set(range(len(models))), missing
        assert numbers[0] == 0
        assert numbers[-1] == len(models) - 1


def check_answered(seen: Seen, *models: Model) -> None:
    """Assert that no loop had a failed request, and each saw answers of the models and of no other."""
    for loop in seen:
        assert _numbers(loop, models)


def _numbers(loop: Loop, models: tuple[Model, ...]) -> list[int]:
    """Return the numbers of the models that gave a loop its answers, in order; none of its requests may have failed."""
    assert not loop.failures, (
        f"{loop.protocol}: {len(loop.failures)} of {loop.requests} requests failed: {loop.failures[:5]}"
    )
    assert loop.requests > 0
    numbers = [
        next((number for number, model in enumerate(models) if is_answer_of(answer, model)), -1)
        for answer in loop.answers
    ]
    assert -1 not in numbers, f"{loop.protocol}: an answer is none of the models': {loop.answers}"
    return numbers
