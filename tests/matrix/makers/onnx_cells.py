"""ONNX models as packages ship them, and a small one."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import onnx
import onnxruntime
from cells import Cell, make_all, question

from converters import nets

VOICE = {
    "inputs": [
        {"name": "input", "shape": ["batch", 576], "values": {"range": [-1, 1]}},
        {"name": "state", "shape": [2, "batch", 128]},
        {"name": "sr", "dtype": "int64", "shape": [], "values": {"range": [16000, 16000]}},
    ],
    "states": [{"input": "state", "output": "stateN"}],
}
HALF = {**VOICE, "inputs": VOICE["inputs"][:2]}
PIXELS = {"range": [-1, 1]}
SIDES = {"min": 32, "max": 96, "multipleOf": 32}
NOTES = "serving_default_input_2:0"
SHIPPED = {
    "silero-vad/onnx": ("silero_vad/data/silero_vad.onnx", VOICE),
    "silero-vad/onnx-op15": ("silero_vad/data/silero_vad_16k_op15.onnx", VOICE),
    "silero-vad/onnx-ifless": ("silero_vad/data/silero_vad_op18_ifless.onnx", VOICE),
    "silero-vad/onnx-half": ("silero_vad/data/silero_vad_half.onnx", HALF),
    "basic-pitch/onnx": (
        "basic_pitch/saved_models/icassp_2022/nmp.onnx",
        {"inputs": [{"name": NOTES, "shape": [1, 43844, 1], "values": {"range": [-1, 1]}}]},
    ),
    "ocr-detector/onnx": (
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx",
        {
            "inputs": [{"name": "x", "shape": ["batch", 3, "height", "width"], "values": PIXELS}],
            "dimensions": {"batch": {"max": 9}, "height": SIDES, "width": SIDES},
        },
    ),
    "ocr-recogniser/onnx": (
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx",
        {
            "inputs": [{"name": "x", "shape": ["batch", 3, 48, "width"], "values": PIXELS}],
            "dimensions": {"batch": {"max": 9}, "width": {"min": 16, "max": 32, "multipleOf": 8}},
        },
    ),
    "ocr-classifier/onnx": (
        "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
        {"inputs": [{"name": "x", "shape": ["batch", 3, 48, 192], "values": PIXELS}]},
    ),
    "magika/onnx": (
        "magika/models/standard_v3_3/model.onnx",
        {
            "inputs": [{"name": "bytes", "dtype": "int32", "shape": ["batch", 2048], "values": {"range": [0, 256]}}],
            "dimensions": {"batch": {"max": 9}},
        },
    ),
}


def make_attention(form: str, cell: Cell) -> None:
    net = nets.attention()
    beside = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 64}
    folder = cell.source("attention")
    folder.mkdir()
    onnx.save(net.model, folder / "model.onnx", **(beside if form == "onnx-external" else {}))
    cell.done({"inputs": msgspec.to_builtins(net.inputs)}, {}, [])


def find_maker(packages: Path, name: str, form: str) -> Callable[[Cell], None]:
    """Return what makes a cell."""
    if name == "attention":
        return lambda cell: make_attention(form, cell)
    member, told = SHIPPED[f"{name}/{form}"]

    def make(cell: Cell) -> None:
        shutil.copyfile(packages / member, cell.source(Path(member).name))
        session = onnxruntime.InferenceSession(str(packages / member))
        asked = question(told["inputs"], told.get("dimensions", {}))
        cell.done(told, asked, session.run(None, asked))

    return make


if __name__ == "__main__":
    make_all(lambda name, form: find_maker(Path(sys.argv[1]), name, form), Path(sys.argv[2]), sys.argv[3:])
