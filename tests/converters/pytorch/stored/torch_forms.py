"""Small PyTorch models, stored in every form that people have them in; run by the Python of the converter's environment.

`python torch_forms.py FOLDER` converts all of them in one process (`torch_steps`). It leaves, for each, the steps' volumes
below FOLDER/NAME, right.npz with a question and PyTorch's own answers from before it was saved, and outcomes.json for all.
"""

import copy
import json
import pathlib
import sys
import zipfile
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file, save_model
from torch_steps import Outcome, convert

from modelport.api.spec import Checkpoint, Input
from modelport.jobs.requests import CodeRequest

CODE = '''
import torch
from torch import nn


class Net(nn.Module):
    """Two layers, and what `kind` says of them."""

    def __init__(self, kind="plain"):
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 8)
        if kind == "tied":
            self.twin = nn.Linear(8, 8)
            self.twin.weight = self.last.weight
        if kind == "untied":
            self.twin = nn.Linear(8, 8)
        if kind == "list":
            self.parts = [nn.Linear(8, 8)]

    def forward(self, x):
        y = self.last(torch.tanh(self.norm(self.first(x))))
        if hasattr(self, "parts"):
            return self.parts[0](y)
        return self.twin(y) if hasattr(self, "twin") else y
'''


class Form(NamedTuple):
    """One stored model, of four numbers a row."""

    name: str
    """Of the file; without an end: of a folder."""
    save: Callable[[torch.nn.Module, pathlib.Path], object]
    """Writes the model, into the file or the folder that it is given."""
    kind: str = "plain"
    wrap: Callable[[torch.nn.Module], torch.nn.Module] = lambda model: model
    shape: tuple[int | str, ...] = ("batch", 4)
    key: str | None = None
    """Of the checkpoint."""
    has_code: bool = True
    is_trusted: bool = True
    called: str = ""
    """The name in outcomes.json, if it is not the file's."""


def graph(name: str, save: Any, **more: Any) -> Form:
    """Return a form that needs neither code nor trust."""
    return Form(name, save, has_code=False, is_trusted=False, **more)


def split(model: torch.nn.Module, folder: pathlib.Path, **lost: str) -> None:
    """Write safetensors in two files with their index."""
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    names = {name: f"model-0000{1 + number % 2}-of-00002.safetensors" for number, name in enumerate(state)}
    for file in sorted(set(names.values())):
        save_file({name: state[name] for name in names if names[name] == file}, folder / file)
    names |= lost
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))


def prefixed(model: torch.nn.Module, prefix: str) -> dict[str, Any]:
    return renamed(model.state_dict(), prefix)


def trained(model: torch.nn.Module) -> dict[str, Any]:
    """Return what an optimizer keeps after a step, which others than these weights take."""
    model = copy.deepcopy(model)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(8, 4)).sum().backward()
    optimizer.step()
    return optimizer.state_dict()


def renamed(weights: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {prefix + name: value for name, value in weights.items()}


def other(model: torch.nn.Module) -> dict[str, Any]:
    """Return weights of the same shapes and other numbers."""
    return {name: value * 2 for name, value in model.state_dict().items()}


def saved(content: Callable[[torch.nn.Module], Any]) -> Callable[[torch.nn.Module, pathlib.Path], object]:
    return lambda model, path: torch.save(content(model), path)


class Stateful(torch.nn.Module):
    """Counts in a buffer."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("mean", torch.zeros(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.mean.mul_(0.9).add_(x.mean(0) * 0.1)
        return self.model(x) + self.mean.sum()


class Inferring(torch.nn.Module):
    """Is asked by another method than forward."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    @torch.jit.export
    def infer(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


class Branching(torch.nn.Module):
    """Control flow that a script keeps."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.model(x)
        if bool(x.sum() > 0):
            y = y * 2
        for _ in range(3):
            y = y + 1
        return y


class Several(torch.nn.Module):
    """Answers by name."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        y = self.model(x)
        return {"sums": y.cumsum(1), "half": y / 2}


class Looping(torch.nn.Module):
    """Control flow of a captured graph."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cond(x.sum() > 0, self.model, lambda x: self.model(x) * 2, (x,))


class Paired(torch.nn.Module):
    """Takes two rows at once."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x).reshape(-1, 16)


class Nested(torch.nn.Module):
    """Takes its input in a dict, by name, and a number that is always the same."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor | None = None, times: int = 2) -> list[Any]:
        y = self.model(x)
        return [y, (y * times, None)]


class Single(torch.nn.Module):
    """Reshapes by what a length was."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.model(x)
        return y.view(x.shape[0], 2, -1).transpose(1, 2).reshape(len(x), -1) + torch.zeros(x.shape[0], 8)


def exported(model: torch.nn.Module, path: pathlib.Path, free: Any = None, **named: Any) -> None:
    example = () if named else (torch.randn(4, 4),)
    torch.export.save(torch.export.export(model, example, named, dynamic_shapes=free), path)


def limited(model: torch.nn.Module, path: pathlib.Path) -> None:
    exported(model, path, {"x": {0: torch.export.Dim("rows", max=64)}})


def endless(model: torch.nn.Module, path: pathlib.Path) -> None:
    exported(model, path, {"x": {0: torch.export.Dim.DYNAMIC}})


def even(model: torch.nn.Module, path: pathlib.Path) -> None:
    exported(model, path, {"x": {0: 2 * torch.export.Dim("pairs", max=32)}})


def called(model: torch.nn.Module, path: pathlib.Path) -> None:
    free = {"x": {0: torch.export.Dim.DYNAMIC}, "times": None}
    exported(model, path, free, x=torch.randn(3, 4), times=2)


def stateful(model: torch.nn.Module, path: pathlib.Path) -> None:
    exported(Stateful(model), path)


def rewritten(path: pathlib.Path, old: bytes, new: bytes, **added: bytes) -> None:
    """Replace text in the graph of a program, and add members."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    root = next(iter(members)).partition("/")[0]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content.replace(old, new) if "models/" in name else content)
        for name, content in added.items():
            archive.writestr(f"{root}/data/{name}", content)


def hostile(model: torch.nn.Module, path: pathlib.Path) -> None:
    limited(model, path)
    rewritten(path, b"torch.ops.aten.tanh.default", b"torch.os.system")


def compiled(model: torch.nn.Module, path: pathlib.Path) -> None:
    limited(model, path)
    rewritten(path, b"", b"", **{"aotinductor/model/x.so": b"\x7fELF"})


def double(model: torch.nn.Module, path: pathlib.Path) -> None:
    from torch.export.pt2_archive import _package

    program = torch.export.export(model, (torch.randn(4, 4),))
    _package.package_pt2(str(path), exported_programs={"model": program, "decoder": program})


def scripted(model: torch.nn.Module, path: pathlib.Path) -> None:
    torch.jit.save(torch.jit.script(model), path)


def traced(rows: int) -> Callable[[torch.nn.Module, pathlib.Path], object]:
    return lambda model, path: torch.jit.save(torch.jit.trace(model, torch.randn(rows, 4)), path)


def without_a_file(model: torch.nn.Module, folder: pathlib.Path) -> None:
    split(model, folder)
    (folder / "model-00002-of-00002.safetensors").unlink()


def with_a_file(model: torch.nn.Module, folder: pathlib.Path) -> None:
    split(model, folder)
    save_file({"head.weight": torch.ones(2)}, folder / "model-00003-of-00003.safetensors")


def outside(model: torch.nn.Module, folder: pathlib.Path) -> None:
    split(model, folder, **{"last.bias": "../source/model-00001-of-00002.safetensors"})


def from_script(model: torch.nn.Module, path: pathlib.Path) -> None:
    """Save a module whose class was in the script that trained it."""
    main = vars(sys.modules["__main__"])
    before = set(main)
    exec(CODE, main)  # the tests' own text
    kept = main["Net"]()
    kept.load_state_dict(model.state_dict())
    torch.save(kept, path)
    for name in set(main) - before:
        del main[name]


def older(model: torch.nn.Module, path: pathlib.Path) -> None:
    """Save a module that its class had no second layer for yet."""
    kept = copy.deepcopy(model)
    del kept.last
    torch.save(kept, path)


def changed(**tensors: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.nn.Module, pathlib.Path], object]:
    """Save with a view or another type in the place of `last.weight`."""
    (change,) = tensors.values()
    return saved(lambda model: model.state_dict() | {"last.weight": change(model.last.weight.detach())})


FORMS = (
    graph("traced.pt", traced(3)),
    graph("single.pt", traced(1), wrap=Single),
    graph("scripted.pt", scripted),
    graph("frozen.pt", lambda model, path: torch.jit.save(torch.jit.freeze(torch.jit.script(model)), path)),
    graph("branching.pt", scripted, wrap=Branching),
    graph("named.pt", scripted, wrap=Several),
    graph("named.pt2", endless, wrap=Several, called="named_program"),
    graph("counting.pt", lambda model, path: scripted(Stateful(model), path)),
    graph("inferring.pt", lambda model, path: scripted(Inferring(model), path)),
    graph("program.pt2", limited),
    graph("fixed.pt2", exported, shape=(4, 4)),
    graph("looping.pt2", endless, wrap=Looping),
    graph("even.pt2", even, wrap=Paired),
    graph("nested.pt2", called, wrap=Nested),
    graph(
        "halves.pt2", lambda model, path: exported(model.bfloat16().float(), path, {"x": {0: torch.export.Dim.AUTO}})
    ),
    graph("changing.pt2", stateful),
    graph("double.pt2", double),
    graph("hostile.pt2", hostile),
    graph("compiled.pt2", compiled),
    # before all that has code, which stays on the import path
    Form("whole.pt", torch.save, has_code=False, called="whole_without_code"),
    Form("whole.pt", torch.save),
    Form("whole.pt", torch.save, key="model", called="whole_wrong_key"),
    Form("old_whole.pt", lambda model, path: torch.save(model, path, _use_new_zipfile_serialization=False)),
    Form("main.pt", from_script),
    Form("older.pt", older),
    Form("one.safetensors", lambda model, path: save_file(model.state_dict(), path)),
    Form("sharded", split),
    Form("tied.safetensors", lambda model, path: save_model(model, str(path)), kind="tied"),
    Form("untied.safetensors", lambda model, path: save_file(less(model, "twin.weight"), path), kind="untied"),
    Form("list.safetensors", lambda model, path: save_file(model.state_dict(), path), kind="list"),
    Form("missing.safetensors", lambda model, path: save_file(less(model, "last.bias"), path)),
    Form(
        "unexpected.safetensors",
        lambda model, path: save_file(model.state_dict() | {"head.weight": torch.ones(2)}, path),
    ),
    Form("lost", lambda model, path: split(model, path, absent="model-00001-of-00002.safetensors")),
    Form("cut", without_a_file),
    Form("unnamed", with_a_file),
    Form("outside", outside),
    Form("wrapped.safetensors", lambda model, path: save_file(prefixed(model, "module."), path)),
    Form(
        "lightning.ckpt",
        saved(lambda m: {"epoch": 3, "state_dict": prefixed(m, "model."), "optimizer_states": [trained(m)]}),
    ),
    *(
        Form(
            "criterion.ckpt",
            saved(lambda m: {"state_dict": prefixed(m, "model.") | {"criterion.weight": torch.ones(2)}}),
            key=key,
            called=name,
        )
        for name, key in (("criterion", None), ("criterion_named", "state_dict.model"))
    ),
    Form("pupil.ckpt", saved(lambda m: {"state_dict": prefixed(m, "student.") | renamed(other(m), "teacher.")})),
    Form("parallel.pt", saved(lambda m: prefixed(m, "module."))),
    Form("optimized.pt", saved(lambda m: {"model": prefixed(m, "_orig_mod.module.")})),
    Form("trained.pt", saved(lambda m: {"model_state_dict": m.state_dict(), "optimizer": trained(m), "epoch": 3})),
    Form("averaged.pt", saved(lambda m: {"model": m.state_dict(), "model_ema": other(m)})),
    Form("mean.pt", saved(lambda m: {"n_averaged": torch.tensor(3), **prefixed(m, "module.")})),
    *(
        Form(
            "several.pt", saved(lambda m: {"model": m.state_dict(), "best": other(m)}), key=key, called=f"several_{key}"
        )
        for key in (None, "model", "best")
    ),
    Form("twice.pt", saved(lambda m: {"model": (state := m.state_dict()), "state_dict": state})),
    Form("view.pt", changed(last=lambda value: torch.stack([value, value])[1].t().contiguous().t())),
    Form("negated.pt", changed(last=torch._neg_view)),
    Form("eighths.pt", changed(last=lambda value: value.to(torch.float8_e4m3fn))),
    Form("sparse.pt", changed(last=torch.Tensor.to_sparse)),
)


def less(model: torch.nn.Module, name: str) -> dict[str, Any]:
    return {each: value for each, value in model.state_dict().items() if each != name}


def write(form: Form, folder: pathlib.Path) -> None:
    """Write one model, and what it answers."""
    source, code = folder / "stage" / "out" / "source", folder / "stage" / "out" / "code"
    source.mkdir(parents=True)
    code.mkdir()
    (code / "net.py").write_text(CODE)
    torch.manual_seed(2)
    model = NET(form.kind)
    for value in model.buffers():
        if value.is_floating_point():
            value.uniform_(0.5, 1.5)
    if form.name == "eighths.pt":
        model.last.weight.data.copy_(model.last.weight.to(torch.float8_e4m3fn))
    if form.name == "halves.pt2":
        model.bfloat16().float()
    model = form.wrap(model).eval()
    question = torch.randn(4, 4)
    with torch.no_grad():
        answer = model(question)
    form.save(model, source / form.name if "." in form.name else source)
    named = answer if isinstance(answer, dict) else {"output": answer}
    if isinstance(answer, list):
        named = {"output_0": answer[0], "output_1_0": answer[1][0]}
    np.savez(folder / "right.npz", x=question.numpy(), **{name: value.numpy() for name, value in named.items()})


def name_of(form: Form) -> str:
    return form.called or form.name.partition(".")[0]


def ask_for(form: Form, folder: pathlib.Path) -> Outcome:
    scripts = ["net"] if form.name == "main.pt" else []
    code = CodeRequest(factory="net:Net", arguments={"kind": form.kind}, modules=scripts) if form.has_code else None
    told = form.name.endswith(".pt2")
    return convert(
        folder,
        code=code,
        inputs=[] if told else [Input(name="x", shape=list(form.shape))],
        checkpoint=Checkpoint(key=form.key) if form.key else None,
        trusted=form.is_trusted,
    )


if __name__ == "__main__":
    root = pathlib.Path(sys.argv[1])
    (root / "code").mkdir()
    (root / "code" / "net.py").write_text(CODE)
    sys.path.insert(0, str(root / "code"))
    NET = __import__("net").Net
    forms = {name_of(each): each for each in FORMS if name_of(each) in sys.argv[2:] or not sys.argv[2:]}
    for name, each in forms.items():
        write(each, root / name)
    sys.path.pop(0)
    outcomes = {name: ask_for(each, root / name)._asdict() for name, each in forms.items()}
    (root / "outcomes.json").write_text(json.dumps(outcomes))
