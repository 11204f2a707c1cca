"""Models of real packages, and of a script, with PyTorch's own answers; run in the environment of converter-pytorch."""

import runpy
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from modelport_converter.frameworks.pytorch.building.torchvision_shim import install

VIT = {"image_size": 32, "patch_size": 8, "num_classes": 5, "dim": 32, "depth": 2, "heads": 2, "mlp_dim": 64}
SCRIPT = '''
import torch


def double(x):
    return 2 * x


class Step(torch.nn.Module):
    """Has the name of a class in the `__main__` of a step."""

    def __init__(self):
        super().__init__()
        self.linear, self.after = torch.nn.Linear(4, 3), double

    def forward(self, x):
        return self.after(self.linear(x)).sin()


if __name__ == "__main__":
    torch.manual_seed(0)
    model = Step()
    torch.save(model, PATH)
'''


def main(wheels: Path, out: Path) -> None:
    """Write each model and what it answers."""
    install()
    for each in wheels.glob("*.whl"):
        sys.path.append(str(each))
    sys.modules |= {"requests": ModuleType("requests"), "requests.adapters": ModuleType("requests.adapters")}
    sys.modules["requests.adapters"].HTTPAdapter = object
    from facenet_pytorch.models.mtcnn import PNet
    from vit_pytorch.simple_vit import SimpleViT

    torch.manual_seed(0)
    vit = SimpleViT(**VIT)
    torch.save(vit.state_dict(), out / "vit.pt")
    answer(vit, torch.randn(3, 3, 32, 32), out / "vit.npz")
    with zipfile.ZipFile(next(wheels.glob("facenet_pytorch-*.whl"))) as wheel:
        (out / "pnet.pt").write_bytes(wheel.read("facenet_pytorch/data/pnet.pt"))
    pnet = PNet(pretrained=False)
    pnet.load_state_dict(torch.load(out / "pnet.pt", weights_only=True))
    answer(pnet, torch.randn(2, 3, 24, 24), out / "pnet.npz")
    (out / "code").mkdir()
    script = out / "code" / "train.py"
    script.write_text(SCRIPT)
    saved = runpy.run_path(str(script), {"PATH": out / "script.pt"}, run_name="__main__")["model"]
    answer(saved, torch.randn(2, 4), out / "script.npz")


def answer(model: torch.nn.Module, x: torch.Tensor, path: Path) -> None:
    """Keep a question, and the model's answers in order."""
    with torch.no_grad():
        found = model.eval()(x)
    answers = found if isinstance(found, tuple) else (found,)
    np.savez(path, x=x.numpy(), **{f"y{number}": each.numpy() for number, each in enumerate(answers)})


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
