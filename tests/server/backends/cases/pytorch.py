"""Models of PyTorch: made by PyTorch itself, which the runtime's environment has."""

from pathlib import Path

import numpy as np
import torch

from modelport.api.status import Signature, Tensor
from modelport.asking.pytorch.names import FILE, Names
from modelport_server.backends.pytorch import TRAITS
from server.backends.cases import Case, identity_case, identity_of, values

ROWS = torch.export.Dim.DYNAMIC
WEIGHTS = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
LAYER = Signature(
    inputs=[Tensor(name="x", dtype="float32", shape=["n", 3])],
    outputs=[Tensor(name="y", dtype="float32", shape=["n", 2]), Tensor(name="weights", dtype="float32", shape=[3, 2])],
)


class Layer(torch.nn.Module):
    """Answers with its weights, too."""

    def __init__(self):
        super().__init__()
        self.weights = torch.nn.Parameter(torch.tensor(WEIGHTS))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x @ self.weights, self.weights


class Writing(Layer):
    """Writes into its input."""

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        x += 1
        return {"y": (x - 1) @ self.weights, "weights": self.weights}


CODE = """
import torch


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weights = torch.nn.Parameter(torch.empty(3, 2))

    def forward(self, x):
        return (x @ self.weights, self.weights)
"""


class Same(torch.nn.Module):
    """Answers with views of its inputs."""

    def forward(self, *inputs):
        return tuple(each.view_as(each) for each in inputs)


def cases(folder: Path) -> list[Case]:
    """Return a layer in each form, and identities of each type."""
    example = (torch.zeros(2, 3),)
    program = torch.export.export(Layer(), example, dynamic_shapes=({0: ROWS},))
    models = {"trace": torch.jit.trace(Layer(), example), "script": torch.jit.script(Writing()), "program": program}
    questions = ({"x": values("float32", 1)}, {"x": values("float32", 2)})
    layers = [
        Case(name, *_save(folder / name, each, LAYER), LAYER, questions, _answer) for name, each in models.items()
    ]
    layers.append(Case("module", *_save_code(folder / "module", Layer().state_dict()), LAYER, questions, _answer))
    signature = identity_of(sorted(TRAITS.takes))
    zeros = tuple(torch.zeros(4, 3, dtype=getattr(torch, each.dtype)) for each in signature.inputs)
    same = _save(folder / "same", torch.jit.trace(Same(), zeros), signature)
    return [*layers, identity_case("same", *same, signature)]


def _save(folder, model, signature):
    folder.mkdir()
    names = Names([each.name for each in signature.inputs], [each.name for each in signature.outputs]).encode()
    if isinstance(model, torch.export.ExportedProgram):
        torch.export.save(model, folder / "model.pt2", extra_files={FILE: names})
        return folder, ["model.pt2"]
    torch.jit.save(model, folder / "model.pt", _extra_files={FILE: names})
    return folder, ["model.pt"]


def _save_code(folder, state):
    folder.mkdir()
    (folder / "model.py").write_text(CODE)
    (folder / FILE).write_text(Names(["x"], ["y", "weights"]).encode())
    torch.save(state, folder / "state_dict.pt")
    return folder, ["model.py", FILE, "state_dict.pt"]


def _answer(inputs):
    return {"y": inputs["x"] @ WEIGHTS, "weights": WEIGHTS}
