"""ONNX models as packages ship them."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from cells import Cell, make_all

VOICE = {
    "inputs": [
        {"name": "input", "shape": ["batch", 576], "values": {"range": [-1, 1]}},
        {"name": "state", "shape": [2, "batch", 128]},
        {"name": "sr", "dtype": "int64", "shape": [], "values": {"range": [16000, 16000]}},
    ],
    "states": [{"input": "state", "output": "stateN"}],
}
NOTES = "serving_default_input_2:0"
SHIPPED = {
    "silero-vad/onnx": ("silero_vad/data/silero_vad.onnx", VOICE),
    "silero-vad/onnx-op15": ("silero_vad/data/silero_vad_16k_op15.onnx", VOICE),
    "silero-vad/onnx-ifless": ("silero_vad/data/silero_vad_op18_ifless.onnx", VOICE),
    "silero-vad/onnx-half": ("silero_vad/data/silero_vad_half.onnx", VOICE),
    "basic-pitch/onnx": (
        "basic_pitch/saved_models/icassp_2022/nmp.onnx",
        {"inputs": [{"name": NOTES, "shape": ["batch", 43844, 1], "values": {"range": [-1, 1]}}]},
    ),
}


def find_maker(packages: Path, name: str, form: str) -> Callable[[Cell], None]:
    member, told = SHIPPED[f"{name}/{form}"]

    def make(cell: Cell) -> None:
        shutil.copyfile(packages / member, cell.source(Path(member).name))
        cell.done(told, {}, [])

    return make


if __name__ == "__main__":
    make_all(lambda name, form: find_maker(Path(sys.argv[1]), name, form), Path(sys.argv[2]), sys.argv[3:])
