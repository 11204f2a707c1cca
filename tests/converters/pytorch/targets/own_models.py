"""Models of PyTorch's own as TorchScript and as programs, asked at several lengths; printed as JSON."""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from converters.pytorch.targets.forms import difference
from modelport.api.status import Tensor
from modelport.asking.pytorch.called import Called
from modelport.asking.pytorch.tensors import name_outputs
from modelport.errors import ModelportError
from modelport_converter.frameworks.pytorch.exporting.graphs import (
    Subject,
    check_operators,
    operators_of,
    to_program,
    to_torchscript,
)
from modelport_converter.frameworks.pytorch.forms.interpreting import Interpreted


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.layer = kind(4, 5, 2, bidirectional=True, batch_first=True)
        self.norm = nn.BatchNorm1d(10)

    def forward(self, x):
        answer, state = self.layer(x)
        return {"steps": self.norm(answer.transpose(1, 2)).transpose(1, 2), "state": state}


class Sliding(nn.Module):
    """Computes lengths from lengths."""

    def forward(self, x):
        wide = nn.functional.interpolate(x.transpose(1, 2), scale_factor=2.0, mode="linear").transpose(1, 2)
        places = torch.arange(wide.shape[1] // 2)
        return wide[:, places].reshape(x.shape[0], -1), wide.mean(1)


class Deciding(nn.Module):
    """Takes a way by the length of its input, which a trace bakes in, and by values, which nothing follows."""

    def __init__(self, by):
        super().__init__()
        self.by = by

    def forward(self, x):
        return x * 2 if (x.shape[1] > 100 if self.by == "length" else x.sum() > 0) else x + 1


class Looping(nn.Module):
    """Takes one step after the other, as many as there are."""

    def forward(self, x):
        state = x[:, 0]
        for step in range(1, x.shape[1]):
            state = torch.tanh(state + x[:, step])
        return state


class Branching(nn.Module):
    def forward(self, x):
        y = x * 2 if bool(x.sum() > 0) else x + 1
        for _ in range(x.shape[1]):
            y = y + 0.5
        return y


def models():
    for kind in (nn.LSTM, nn.GRU, nn.RNN):
        yield kind.__name__, Recurrent(kind), False
    yield "encoder", nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), False
    yield "sliding", Sliding(), False
    yield "length", Deciding("length"), False
    yield "looping", Looping(), False
    yield "values", Deciding("values"), True
    yield "branching", torch.jit.script(Branching()), False


def main():
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    found = {}
    inputs = [Tensor(name="x", dtype="float32", shape=["batch", "time", 4])]
    questions = [torch.randn(shape) for shape in ((2, 7, 4), (1, 7, 4), (3, 1, 4), (1, 1, 4), (4, 12, 4))]
    for name, model, is_doubtful in models():
        model.eval()
        captured = Interpreted(model) if isinstance(model, torch.jit.ScriptModule) else None
        example = {"x": questions[0].numpy()}
        subject = Subject(model, example, inputs, Path(), captured=captured, is_doubtful=is_doubtful)
        for form, make in (("torchscript", to_torchscript), ("program", to_program)):
            try:
                graph, exported = make(subject)
                check_operators(operators_of(graph) if form == "torchscript" else [])
                asked = graph if form == "torchscript" else Called(graph)
                told = [] if not exported.is_doubtful else ["doubtful"]
                for x in questions:
                    try:
                        with torch.inference_mode():
                            right, answer = (name_outputs(each(x.clone())) for each in (model, asked))
                    except RuntimeError as error:
                        told.append(f"raised: {error}")
                        continue
                    told += [
                        difference(one, np.asarray(two))
                        for one, two in zip(answer.values(), right.values(), strict=True)
                    ]
            except ModelportError as error:
                told = [f"refused: {error.message}"]
            found[f"{name}: {form}"] = "; ".join(filter(None, told))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
