"""PyTorch weights with a factory, through the steps: what converts, and how each mistake is told."""

import numpy as np
import pytest

from e2e.sources.torchfiles import state_dict_bytes
from modelport.storage.files import describe_tree, tree_digest

pytestmark = pytest.mark.converters

MLP = """
from torch import nn

def build(hidden=8):
    return nn.Sequential(nn.Linear(4, hidden), nn.ReLU(), nn.Linear(hidden, 3), nn.Softmax(-1))

"""
TRANSFORMER = """
from torch import nn

def build():
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1)
"""
DROPOUT = """
from torch import nn
from torch.nn import functional

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x):
        return functional.dropout(self.layer(x), 0.5, training=True)

build = Net
"""
DEAD = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x):
        return torch.relu(self.layer(x) * 0 - 1)

build = Net
"""
STEPS = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x):
        y = self.layer(x)
        return y if y.sum() > 0 else 2 * y

build = Net
"""


def weights(**shapes):
    random = np.random.default_rng(5)
    return {
        name.replace("_", "."): (random.standard_normal(shape) * 0.5).astype(np.float32)
        for name, shape in shapes.items()
    }


LAYER = weights(layer_weight=(3, 4), layer_bias=(3,))


def mlp(hidden=8):
    found = {"0.weight": (hidden, 4), "0.bias": (hidden,), "2.weight": (3, hidden), "2.bias": (3,)}
    random = np.random.default_rng(5)
    return {name: random.standard_normal(shape).astype(np.float32) for name, shape in found.items()}


@pytest.fixture
def convert(run, tmp_path):
    """Convert weights with code and return the status."""

    def convert(code, state, *, factory="build", shape=("batch", 4), target=None, **source):
        folder = tmp_path / "code"
        folder.mkdir()
        (folder / "net.py").write_text(code)
        file = tmp_path / "weights.pt"
        file.write_bytes(state if isinstance(state, bytes) else state_dict_bytes(state))
        arguments = source.pop("arguments", {})
        manifest = {
            "apiVersion": "modelport.dev/v1alpha1",
            "kind": "ModelConversion",
            "metadata": {"name": "net"},
            "spec": {
                "source": {
                    "uri": "s3://models/weights.pt",
                    "trust": "Trusted",
                    "code": {
                        "uri": "s3://models/code/",
                        "digest": tree_digest(describe_tree(folder)),
                        "factory": f"net:{factory}",
                        "arguments": arguments,
                    },
                    "inputs": [{"name": "x", "shape": list(shape)}],
                    **source,
                },
                "target": {"format": "onnx", "options": target or {}},
            },
        }
        return run(manifest, file, code=folder)

    return convert


def assert_verified(status):
    assert "failure" not in status, status["failure"]
    for output in status["verification"]["outputs"]:
        assert float(output["relativeRms"]) < 5e-6


@pytest.mark.parametrize("target", [{}, {"opset": 11}, {"opset": 20}, {"opset": 21}, {"simplify": True}])
def test_converts(convert, target):
    assert_verified(convert(MLP, mlp(), target=target))


def test_arguments_reach_the_factory(convert):
    assert_verified(convert(MLP, mlp(5), arguments={"hidden": 5}))


def test_a_prefix_is_stripped(convert):
    state = {f"module.{name}": value for name, value in mlp().items()}
    assert_verified(convert(MLP, state, checkpoint={"stripPrefix": "module."}))


def test_a_transformer_keeps_its_free_length(convert):
    size = {
        "self_attn.in_proj_weight": (24, 8),
        "self_attn.in_proj_bias": (24,),
        "self_attn.out_proj.weight": (8, 8),
        "self_attn.out_proj.bias": (8,),
        "linear1.weight": (16, 8),
        "linear1.bias": (16,),
        "linear2.weight": (8, 16),
        "linear2.bias": (8,),
        **{f"norm{number}.{part}": (8,) for number in (1, 2) for part in ("weight", "bias")},
    }
    random = np.random.default_rng(6)
    state = {f"layers.0.{name}": random.standard_normal(shape).astype(np.float32) * 0.5 for name, shape in size.items()}
    assert_verified(convert(TRANSFORMER, state, shape=("batch", "length", 8)))


@pytest.mark.parametrize(
    ("code", "state", "options", "told"),
    [
        (MLP, mlp(6), {}, ("WeightsMismatch", "0.weight [6, 4] for [8, 4]")),
        (MLP, state_dict_bytes(mlp())[:400], {}, ("SourceCorrupt", "weights.pt")),
        (MLP, mlp(), {"arguments": {"depth": 3}}, ("FactoryFailed", "depth")),
        ("import absent_package", mlp(), {}, ("FactoryFailed", "absent_package")),
        (DROPOUT, LAYER, {}, ("NonDeterministic", "bernoulli")),
        (DEAD, LAYER, {}, ("VerificationInconclusive", "the same for all samples")),
        (STEPS, LAYER, {}, ("VerificationFailed", "times its limit")),
    ],
)
def test_mistakes_are_told(convert, code, state, options, told):
    failure = convert(code, state, **options)["failure"]
    reason, words = told
    assert failure["reason"] == reason, failure
    assert words in failure["message"]
