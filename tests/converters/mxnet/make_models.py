"""`python make_models.py FOLDER` stores models of every age below FOLDER, with right.npz beside each, and some that are refused."""

import json
import pathlib
import sys

import mxnet as mx
import numpy as np
from mxnet_models import NETS, Net, answer, image, with_parameters, write

root = pathlib.Path(sys.argv[1])
S = mx.sym
STORED = {"cnn": ("mxnet", "bare", "0.11", "0.8"), "ssd": ("mxnet",), "reading": ("mxnet",), "squeezed": ("mxnet",)}
random = np.random.default_rng(3)
for name, forms in STORED.items():
    net = NETS[name]()
    shape = [2 if each == "batch" else 9 if isinstance(each, str) else each for each in net.inputs[0]["shape"]]
    asked = {"data": random.uniform(-2, 2, shape).astype(np.float32)}
    right = answer(net, asked)
    for form in forms:
        folder = root / f"{name}-{form}"
        write(net, form, folder / "source")
        (folder / "inputs.json").write_text(json.dumps(net.inputs))
        np.savez(folder / "right.npz", **asked, right=right[0])


def refused(name: str, symbol: object, drop: str = "", parameters: dict[str, object] | None = None) -> None:
    net = with_parameters(symbol, image(8), 1) if parameters is None else Net(symbol, parameters, image(8), 1)
    write(
        net._replace(parameters={key: each for key, each in net.parameters.items() if key != drop}),
        "mxnet",
        root / name / "source",
    )
    (root / name / "inputs.json").write_text(json.dumps(net.inputs))


dense = S.FullyConnected(S.Variable("data"), num_hidden=3, name="fc")
refused("missing", dense, drop="arg:fc_weight")
half = with_parameters(dense, image(8), 1)
write(
    half._replace(parameters={key: each.astype("float16") for key, each in half.parameters.items()}),
    "mxnet",
    root / "half" / "source",
)
(root / "half" / "inputs.json").write_text(json.dumps(half.inputs))
refused("random", S.random.normal(shape=(2, 3)) + 0 * S.sum(S.Variable("data")), parameters={})
refused("int8", S.contrib.quantize_v2(S.Variable("data"), out_type="int8")[0], parameters={})
(root / "outcomes.json").write_text("{}")
