"""Small PyTorch models, one for each way to be misread; run by the Python of the converter's environment.

`python torch_kinds.py FOLDER kinds` asks and converts them by the steps themselves, in one process; so does `traps` with
those of torch_traps.py. It leaves, for each, the steps' volumes below FOLDER/NAME, right.npz with a question and PyTorch's own answer, and outcomes.json for all.
"""

import json
import pathlib
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch_steps import Outcome, convert

from modelport.api.spec import Checkpoint, Input, Values, Verification
from modelport.jobs.requests import CodeRequest

CODE = '''
import torch
from torch import nn
from torch.nn import functional as F

TABLE = torch.randn(4)
zip = zip


class Net(nn.Module):
    """One layer from 4 to 4 numbers, and what `kind` says."""

    def __init__(self, kind="plain", scale=()):
        super().__init__()
        self.kind = kind
        self.layer = nn.Linear(4, 4)
        if kind == "normalised":
            self.norm, self.drop = nn.BatchNorm1d(4), nn.Dropout(0.5)
        if kind == "list":
            self.blocks = [nn.Linear(4, 4)]
        if kind == "table":
            self.register_buffer("table", torch.randn(4), persistent=False)
        if kind == "closure":
            table = torch.randn(4)
            self.act = lambda y: y * table
        if kind in ("state", "cache"):
            self.register_buffer("state", torch.zeros(4))
        if kind == "counter":
            self.calls = 0
        if kind == "scaled":
            self.scale = nn.Parameter(torch.ones(tuple(scale)))
        if kind == "tied":
            self.other = nn.Linear(4, 4)
            self.other.weight = self.layer.weight
        if kind == "half":
            self.half()

    def forward(self, x):
        y = self.layer(x)
        return getattr(self, "do_" + self.kind, lambda x, y: y)(x, y)

    def do_normalised(self, x, y):
        y = self.drop(self.norm(y))
        return y * 2 if x.shape[0] == x.shape[1] + 1000 else y  # a look at shapes: both exporters are tried

    def do_list(self, x, y):
        return self.blocks[0](y)

    def do_table(self, x, y):
        return y + self.table

    def do_module(self, x, y):
        return y + TABLE

    def do_closure(self, x, y):
        return self.act(y)

    def do_state(self, x, y):
        self.state.mul_(0.9).add_(x.mean(0))
        return y + self.state

    def do_cache(self, x, y):
        self.state = torch.zeros(4)  # changes, and nothing follows from it
        return y + self.state

    def do_counter(self, x, y):
        self.calls += 1
        return y if self.calls < 10 else 2 * y

    def do_scaled(self, x, y):
        return y * self.scale.sum()

    def do_tied(self, x, y):
        return self.other(y)

    def do_dropout(self, x, y):
        return F.dropout(y, 0.5, training=True)

    def do_nothing_dropped(self, x, y):
        return F.dropout(y, 0.0, training=True)

    def do_branch(self, x, y):
        return y / 2 if x.abs().max() > 50 else y

    def do_both(self, x, y):
        return y if x.sum() > 0 else 2 * y

    def do_few(self, x, y):
        return y[:16] if x.shape[0] > 16 else y

    def do_floor(self, x, y):  # the tracing exporter rounds towards zero
        return y * ((x * 9).int() // 4)

    def do_checked(self, x, y):
        assert x.abs().max() < 1e30
        if x.abs().max() > 1e30:
            raise ValueError("too large")
        return y

    def do_float(self, x, y):
        return y, 1.5

    def do_complex(self, x, y):
        return torch.fft.fft(y)

    def do_sparse(self, x, y):
        return y.to_sparse()

    def do_bfloat(self, x, y):
        return y.bfloat16()

    def do_kinds(self, x, y):
        return {"large": y > 0, "image": (y.sigmoid() * 255).to(torch.uint8), "none": None}

    def do_names(self, x, y):
        return {"x": y, "x_output": 2 * y, "a/b": 3 * y, "a b": (4 * y, [5 * y])}

    def do_same(self, x, y):
        return y, y, x, self.layer.weight, torch.ones(2)


def broken():
    raise RuntimeError("no such configuration")


class Overridden(nn.Module):
    """Its train() leaves dropout on, whatever it is told."""

    def __init__(self):
        super().__init__()
        self.layer, self.drop = nn.Linear(4, 4), nn.Dropout(0.5)

    def train(self, mode=True):
        super().train(mode)
        self.drop.training = True
        return self

    def forward(self, x):
        return self.drop(self.layer(x))


class Ignoring(nn.Module):
    """Takes three inputs and uses the second."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(50, 4)

    def forward(self, mask, ids, kinds):
        return self.words(ids).mean(1)


class Deep(nn.Module):
    """Tokens, and behind them layers that amplify rounding."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(50, 64)
        self.layers = nn.ModuleList(nn.Linear(64, 64) for _ in range(20))

    def forward(self, ids):
        hidden = self.words(ids)
        for layer in self.layers:
            hidden = torch.tanh(3 * layer(hidden))
        return hidden


class Relearned(nn.Module):
    """Takes each batch's own mean. A trace warns of a check of lengths; the captured graph takes the stored mean."""

    def __init__(self):
        super().__init__()
        self.layer, self.norm = nn.Conv1d(4, 3, 2), nn.BatchNorm1d(3)

    def forward(self, x):
        stored = self.norm.running_mean, self.norm.running_var
        return F.batch_norm(self.layer(x), *stored, training=True, momentum=0.0)


class Resized(nn.Module):
    """Looks between its numbers, at places that float32 rounds."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv1d(4, 3, 1)

    def forward(self, x):
        return F.interpolate(self.layer(x), scale_factor=0.37, mode="linear", align_corners=False)


class Packed(nn.Module):
    """Answers as many steps as the longest row has, or its last state."""

    def __init__(self, kind):
        super().__init__()
        self.kind, self.layer = kind, nn.GRU(4, 4, batch_first=True)

    def forward(self, x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        steps, last = self.layer(packed)
        if self.kind == "last":
            return last[-1]
        total = x.shape[1] if self.kind == "total" else None
        return nn.utils.rnn.pad_packed_sequence(steps, batch_first=True, total_length=total)[0]


class Double(nn.Module):
    """Convolutions of float64, which ONNX Runtime has not."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv1d(4, 3, 2).double()

    def forward(self, x):
        return self.layer(x)
'''
CODE += pathlib.Path(__file__).with_name("torch_traps.py").read_text()
NETS: dict[str, Any] = {}
exec(CODE, NETS)  # the tests' own text


class Case(NamedTuple):
    """One model."""

    name: str
    arguments: Mapping[str, Any] = {}
    net: str = "Net"
    factory: str = ""
    """What is called in the place of `net`."""
    inputs: tuple[Input, ...] = (Input(name="x", shape=["batch", 4]),)
    save: Any = None
    """What is saved, from the model; its state dict if not said."""
    checkpoint: Checkpoint | None = None
    verification: Verification = Verification()
    options: Mapping[str, Any] = {}
    by: str = ""
    """Of the converters to ONNX, which; the first one if not said."""


def kind(name: str, **more: Any) -> Case:
    return Case(more.pop("called", name), {"kind": name}, **more)


def loaded(name: str, change: Any, **arguments: Any) -> Case:
    """A case whose stored weights are changed: `change` maps a tensor to another one."""
    kinds = {"kind": "scaled"} | arguments
    return Case(name, kinds, save=lambda model: {key: change(value) for key, value in model.state_dict().items()})


def beside(name: str, content: Any) -> Case:
    """A checkpoint with more than weights in it."""
    checkpoint = Checkpoint(key="state_dict", strip_prefix="net.")
    return Case(
        name,
        save=lambda model: {
            "state_dict": {f"net.{key}": value for key, value in model.state_dict().items()},
            "epoch": 3,
            "more": content,
        },
        checkpoint=checkpoint,
    )


def doubled(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return model.state_dict() | {f"a.{key}": value for key, value in model.state_dict().items()}


IDS = (
    Input(name="mask", dtype="bool", shape=["batch", "time"]),
    Input(name="ids", dtype="int64", shape=["batch", "time"]),
    Input(name="kinds", shape=["batch", 3]),
)
SEQUENCES = (
    Input(name="x", shape=["batch", 6, 4]),
    Input(name="lengths", dtype="int64", shape=["batch"], values=Values(range=(1, 6))),
)
IMAGES = (Input(name="x", shape=["batch", 2, "height", "width"]),)
HIDDEN = (SEQUENCES[0], Input(name="lengths", dtype="int64", shape=["batch"], values=Values(range=(0, 6))))
NUMBERS = (
    Input(name="x", shape=["batch", 4]),
    Input(name="n", dtype="int64", shape=["batch"], values=Values(range=(-20, 20))),
)
SERIES = (Input(name="x", shape=["time", "batch", 4]),)
TRAPS = (
    Case("pooled", net="Pooled", inputs=IMAGES),
    Case("pooled_other", net="Pooled", inputs=IMAGES, by="other-exporter"),
    Case("divided", net="Divided", inputs=IMAGES),
    Case("pixel", net="Pixel", inputs=IMAGES),
    Case("pixel_other", net="Pixel", inputs=IMAGES, by="other-exporter"),
    Case("unlearned", net="Unlearned", inputs=(Input(name="x", shape=["batch", 4, 6]),)),
    Case("packed_lstm", net="PackedLstm", inputs=SEQUENCES),
    Case("halved_lstm", net="HalvedLstm", inputs=(Input(name="x", shape=["batch", "time", 4]),)),
    Case("second_axis", net="SecondAxis", inputs=SERIES),
    Case("second_axis_other", net="SecondAxis", inputs=SERIES, by="other-exporter"),
    Case("split", net="Split", inputs=(Input(name="x", shape=["batch", "time", 4]),)),
    Case("signed", net="Signed", inputs=NUMBERS),
    Case("signed_other", net="Signed", inputs=NUMBERS, by="other-exporter"),
    Case("floored", net="Floored"),
    Case("floored_other", net="Floored", by="other-exporter"),
    Case("hidden", net="Hidden", inputs=HIDDEN),
    Case("doubled", net="Wide", inputs=(Input(name="x", dtype="float64", shape=["batch", 4]),)),
)
KINDS = (
    *(kind(name) for name in ("plain", "normalised", "nothing_dropped", "cache", "checked", "tied")),
    *(kind(name) for name in ("bfloat", "kinds", "names", "same")),
    kind("half", inputs=(Input(name="x", dtype="float16", shape=["batch", 4]),)),
    kind("normalised", called="normalised21", options={"opset": 21}),
    *(
        Case(
            f"relearned{by}",
            net="Relearned",
            inputs=(Input(name="x", shape=["batch", 4, 5]),),
            by=by and "other-exporter",
        )
        for by in ("", "_other")
    ),
    Case("resized", net="Resized", inputs=(Input(name="x", shape=["batch", 4, 700]),)),
    Case("overridden", net="Overridden"),
    Case("ignoring", net="Ignoring", inputs=IDS),
    Case("swapped", net="Ignoring", inputs=(IDS[1], IDS[0], IDS[2])),
    Case("ignoring21", net="Ignoring", inputs=IDS, options={"opset": 21}),
    Case("deep", net="Deep", inputs=(Input(name="ids", dtype="int64", shape=["batch", "time"]),)),
    Case(
        "double",
        net="Double",
        inputs=(Input(name="x", dtype="float64", shape=["batch", 4, 5]),),
        options={"precision": "float32"},
    ),
    *(kind(name) for name in ("list", "table", "module", "closure", "state", "counter", "dropout")),
    *(kind(name) for name in ("float", "complex", "sparse", "branch", "both", "few", "floor")),
    kind("floor", called="floor21", options={"opset": 21}),
    *(kind(name, called=f"{name}_other", by="other-exporter") for name in ("floor", "both", "branch")),
    *(Case(f"packed_{kind}", {"kind": kind}, net="Packed", inputs=SEQUENCES) for kind in ("longest", "last", "total")),
    kind("branch", called="branch_reported", verification=Verification(policy="Report")),
    beside("numpy", np.float64(0.5)),
    beside("loss", {"loss": torch.nn.MSELoss(), "path": pathlib.Path("/tmp/x")}),
    beside("optimizer", torch.optim.Adam([torch.ones(2)]).state_dict()),
    Case("whole", save=lambda model: torch.nn.Sequential(model.layer)),
    Case("old", save=lambda model: model.state_dict()),
    Case("protocol4", save=lambda model: model.state_dict()),
    loaded("halves", lambda value: value.half()),
    loaded("complexes", lambda value: value * (1 + 1j)),
    loaded("integers", lambda value: (value * 100).int()),
    loaded("nans", lambda value: value * float("nan")),
    loaded("cut", lambda value: value if value.ndim else torch.ones(3)),
    loaded("wide", lambda value: value if value.shape != (1,) else torch.tensor(1.0), scale=[1]),
    Case(
        "infinite",
        {"kind": "half"},
        inputs=(Input(name="x", dtype="float16", shape=["batch", 4]),),
        save=lambda model: {key: value.float() * 1e30 for key, value in model.state_dict().items()},
    ),
    Case(
        "untied",
        {"kind": "tied"},
        save=lambda model: model.state_dict() | {"other.weight": torch.ones(4, 4), "layer.weight": torch.zeros(4, 4)},
    ),
    Case("missing", save=lambda model: {"layer.weight": model.layer.weight}),
    Case("unexpected", save=lambda model: model.state_dict() | {"loss.weight": torch.ones(3)}),
    Case("reshaped", save=lambda model: model.state_dict() | {"layer.weight": torch.ones(4, 6)}),
    Case("no_key", checkpoint=Checkpoint(key="model")),
    Case("no_prefix", checkpoint=Checkpoint(strip_prefix="module.")),
    Case("two_of_a_name", save=doubled, checkpoint=Checkpoint(strip_prefix="a.")),
    Case("broken", factory="broken"),
    Case("absent", factory="absent"),
    Case("no_module", factory="zip"),
    Case("wide_input", inputs=(Input(name="x", shape=["batch", 5]),)),
    Case("two_inputs", inputs=(Input(name="x", shape=["batch", 4]), Input(name="y", shape=["batch", 4]))),
    Case("text", inputs=(Input(name="x", dtype="string", shape=["batch", 4]),)),
)
SAVED = {"old": {"_use_new_zipfile_serialization": False}, "protocol4": {"pickle_protocol": 4}}


def run(case: Case, folder: pathlib.Path) -> Outcome:
    """Ask and convert one model, and return what came of it."""
    torch.manual_seed(1)
    model = NETS[case.net](**case.arguments)
    staged = folder / "stage" / "out"
    (staged / "source").mkdir(parents=True)
    (staged / "code").mkdir()
    (staged / "code" / "net.py").write_text(CODE)
    content = case.save(model) if case.save else model.state_dict()
    torch.save(content, staged / "source" / "weights.pt", **SAVED.get(case.name, {}))
    outcome = convert(
        folder,
        by=case.by,
        options=case.options,
        source_format="pytorch-state-dict",
        checkpoint=case.checkpoint,
        code=CodeRequest(factory=f"net:{case.factory or case.net}", arguments=dict(case.arguments)),
        inputs=list(case.inputs),
        verification=case.verification,
    )
    if not outcome.reason:
        answer(case, model, folder)
    return outcome


def answer(case: Case, model: torch.nn.Module, folder: pathlib.Path) -> None:
    """Leave a question and PyTorch's own answer, with every dropout off."""
    random = np.random.default_rng(3)
    lengths = {"batch": 5, "time": 6, "height": 8, "width": 11}
    asked = {}
    for each in case.inputs:
        shape = [lengths[length] if isinstance(length, str) else length for length in each.shape]
        low, high = (each.values and each.values.range) or (0, 1 if each.dtype == "bool" else 49)
        values = (
            random.integers(int(low), int(high) + 1, shape)
            if each.dtype in ("bool", "int64")
            else random.standard_normal(shape)
        )
        asked[each.name] = values.astype(each.dtype)
    model.eval()
    for module in model.modules():
        module.training = False
    with torch.no_grad():
        answers = model(*map(torch.from_numpy, asked.values()))
    np.savez(
        folder / "right.npz",
        **{f"in.{name}": array for name, array in asked.items()},
        **{f"out.{number}": array for number, array in enumerate(flat(answers))},
    )


def flat(answers: Any) -> list[Any]:
    if isinstance(answers, torch.Tensor):
        return [answers.float().numpy() if answers.dtype == torch.bfloat16 else answers.detach().numpy()]
    values = answers.values() if isinstance(answers, dict) else answers or ()
    return [array for value in values if value is not None for array in flat(value)]


if __name__ == "__main__":
    root = pathlib.Path(sys.argv[1])
    cases = {"kinds": KINDS, "traps": TRAPS}[sys.argv[2]]
    outcomes = {case.name: run(case, root / case.name)._asdict() for case in cases}
    (root / "outcomes.json").write_text(json.dumps(outcomes))
