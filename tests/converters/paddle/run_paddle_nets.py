"""`python run_paddle_nets.py FOLDER` saves, asks and converts all nets by the Python of the converter's environment.

For each it leaves model.onnx and right.npz, with the question and Paddle's own answers from before it was saved, and
outcomes.json for all.
"""

import json
import sys
from pathlib import Path

import numpy as np
import paddle
from paddle_nets import Net, nets

from modelport.storage.trees import open_tree
from modelport_converter.frameworks.paddle.exporting.cutting import write_program
from modelport_converter.frameworks.paddle.files import read_files
from modelport_converter.frameworks.paddle.operators.all import WRITERS
from modelport_converter.frameworks.paddle.reading.pir import narrowed

FORMAT = "paddle-json"


class Whole(paddle.nn.Layer):
    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net, self.layers = net, paddle.nn.LayerList(net.layers)


class One(Whole):
    def forward(self, x):
        return self.net.compute(*self.layers, x)


class Two(Whole):
    def forward(self, x, y):
        return self.net.compute(*self.layers, x, y)


class Three(Whole):
    def forward(self, x, y, z):
        return self.net.compute(*self.layers, x, y, z)


def tensors(answer):
    return [answer] if isinstance(answer, paddle.Tensor) else [each for part in answer for each in tensors(part)]


def convert(net: Net, folder: Path) -> None:
    whole = {1: One, 2: Two, 3: Three}[len(net.asked)](net)
    whole.eval()
    right = tensors(whole(*map(paddle.to_tensor, net.asked)))
    shapes = net.shapes or [
        [*[None] * (each.ndim - 1), *each.shape[-1:]] if each.ndim > 1 else [None] for each in net.asked
    ]
    spec = [
        paddle.static.InputSpec(shape, str(each.dtype), f"in{number}")
        for number, (shape, each) in enumerate(zip(shapes, net.asked, strict=True))
    ]
    paddle.jit.save(paddle.jit.to_static(whole, input_spec=spec), str(folder / "source" / "net"))
    files = read_files(open_tree(folder / "source"), FORMAT)
    content = narrowed(files.path.read_bytes(), files.name)
    model = write_program(files, content, files.weights, FORMAT, WRITERS)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    asked = {f"in{number}": each for number, each in enumerate(net.asked)}
    np.savez(folder / "right.npz", **asked, **{f"out{number}": each.numpy() for number, each in enumerate(right)})


root, outcomes = Path(sys.argv[1]), {}
for name, net in nets().items():
    folder = root / name
    try:
        convert(net, folder)
        outcomes[name] = {}
    except Exception as error:  # noqa: BLE001  # told for the net, so that the others are converted
        outcomes[name] = {"message": f"{type(error).__name__}: {error}"[-400:]}
(root / "outcomes.json").write_text(json.dumps(outcomes))
