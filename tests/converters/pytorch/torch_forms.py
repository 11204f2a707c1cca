"""Small PyTorch models, stored in every form that people have them in; run by the Python of the converter's environment.

`python torch_forms.py FOLDER` leaves below FOLDER/NAME, for each, `source` (a file or a folder), the code that builds it
in FOLDER/code, and right.npz: a question, and PyTorch's own answers from before it was saved.
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
import transformers
from safetensors.torch import load_file, save_file, save_model

from modelport_converter.frameworks.pytorch.building.torchvision_shim import install

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
    """One stored model."""

    name: str
    save: Callable[[torch.nn.Module, pathlib.Path], object]
    """Writes the model, into the file or the folder that it is given."""
    kind: str = "plain"
    wrap: Callable[[torch.nn.Module], torch.nn.Module] = lambda model: model


def split(model: torch.nn.Module, folder: pathlib.Path, **lost: str) -> None:
    """Write safetensors in two files with their index."""
    folder.mkdir()
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    names = {name: f"model-0000{1 + number % 2}-of-00002.safetensors" for number, name in enumerate(state)}
    for file in sorted(set(names.values())):
        save_file({name: state[name] for name in names if names[name] == file}, folder / file)
    names |= lost
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))


def prefixed(model: torch.nn.Module, prefix: str) -> dict[str, Any]:
    return {prefix + name: value for name, value in model.state_dict().items()}


def trained(model: torch.nn.Module) -> dict[str, Any]:
    """Return what an optimizer keeps after a step, which others than these weights take."""
    model = copy.deepcopy(model)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(8, 4)).sum().backward()
    optimizer.step()
    return optimizer.state_dict()


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


def exported(model: torch.nn.Module, path: pathlib.Path) -> None:
    free = {"x": {0: torch.export.Dim("rows", max=64)}}
    torch.export.save(torch.export.export(model, (torch.randn(3, 4),), dynamic_shapes=free), path)


def endless(model: torch.nn.Module, path: pathlib.Path) -> None:
    free = {"x": {0: torch.export.Dim.DYNAMIC}}
    torch.export.save(torch.export.export(model, (torch.randn(3, 4),), dynamic_shapes=free), path)


def stateful(model: torch.nn.Module, path: pathlib.Path) -> None:
    torch.export.save(torch.export.export(Stateful(model), (torch.randn(3, 4),)), path)


def rewritten(path: pathlib.Path, old: bytes, new: bytes) -> None:
    """Replace text in the graph of a program."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content.replace(old, new) if "models/" in name else content)


def hostile(model: torch.nn.Module, path: pathlib.Path) -> None:
    exported(model, path)
    rewritten(path, b"torch.ops.aten.tanh.default", b"torch.os.system")


FORMS = (
    Form("traced.pt", lambda model, path: torch.jit.save(torch.jit.trace(model, torch.randn(3, 4)), path)),
    Form("scripted.pt", lambda model, path: torch.jit.save(torch.jit.script(model), path)),
    Form("branching.pt", lambda model, path: torch.jit.save(torch.jit.script(model), path), wrap=Branching),
    Form("named.pt", lambda model, path: torch.jit.save(torch.jit.script(model), path), wrap=Several),
    Form("named.pt2", endless, wrap=Several),
    Form("counting.pt", lambda model, path: torch.jit.save(torch.jit.script(Stateful(model)), path)),
    Form("program.pt2", exported),
    Form("changing.pt2", stateful),
    Form("hostile.pt2", hostile),
    Form("whole.pt", torch.save),
    Form("old_whole.pt", lambda model, path: torch.save(model, path, _use_new_zipfile_serialization=False)),
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
    Form("wrapped.safetensors", lambda model, path: save_file(prefixed(model, "module."), path)),
    Form(
        "lightning.ckpt",
        saved(lambda m: {"epoch": 3, "state_dict": prefixed(m, "model."), "optimizer_states": [trained(m)]}),
    ),
    Form(
        "criterion.ckpt", saved(lambda m: {"state_dict": prefixed(m, "model.") | {"criterion.weight": torch.ones(2)}})
    ),
    Form("parallel.pt", saved(lambda m: prefixed(m, "module."))),
    Form("compiled.pt", saved(lambda m: {"model": prefixed(m, "_orig_mod.module.")})),
    Form("trained.pt", saved(lambda m: {"model_state_dict": m.state_dict(), "optimizer": trained(m), "epoch": 3})),
    Form("averaged.pt", saved(lambda m: {"model": m.state_dict(), "model_ema": other(m)})),
    Form("several.pt", saved(lambda m: {"model": m.state_dict(), "best": other(m)})),
    Form("twice.pt", saved(lambda m: {"model": (state := m.state_dict()), "state_dict": state})),
)


OWN = """
import torch
from transformers import PretrainedConfig, PreTrainedModel


class OwnConfig(PretrainedConfig):
    model_type = "own"


class OwnModel(PreTrainedModel):
    config_class = OwnConfig

    def __init__(self, config):
        super().__init__(config)
        self.table = torch.nn.Embedding(30, 4)
        self.post_init()

    def forward(self, input_ids, attention_mask=None):
        return {"sums": self.table(input_ids).cumsum(1)}
"""
SMALL = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
}


def text_models() -> dict[str, torch.nn.Module]:
    """Return models of transformers for tokens, by the name of their folder."""
    install()
    bert = transformers.BertConfig(**SMALL, pad_token_id=0)
    return {
        "masked": transformers.BertForMaskedLM(bert),  # its decoder is its table of words
        "shards": transformers.BertModel(bert),
        "pickled": transformers.BertModel(bert),
        "headless": transformers.BertModel(bert),
        "foreign": transformers.BertForSequenceClassification(bert),
        "causal": transformers.GPT2LMHeadModel(
            transformers.GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=2, n_positions=40)
        ),
    }


def write_folders(root: pathlib.Path) -> None:
    """Write folders as transformers does, and what the models answer."""
    for name, model in text_models().items():
        question = {
            "input_ids": torch.randint(1, 50, (3, 7)),
            "attention_mask": torch.tensor([[1] * 7, [1] * 5 + [0] * 2, [1] * 3 + [0] * 4]),
        }
        if "Bert" in type(model).__name__:
            question["token_type_ids"] = torch.randint(0, 2, (3, 7))
        write_folder(root / name, model, question)
    sizes = {name: value for name, value in SMALL.items() if name.startswith(("hidden", "num", "inter"))}
    vit = transformers.ViTConfig(**sizes, image_size=16, patch_size=8, num_labels=3)
    write_folder(
        root / "seen", transformers.ViTForImageClassification(vit), {"pixel_values": torch.randn(3, 3, 16, 16)}
    )
    write_pickle(root / "pickled" / "model")
    for name, wanted in (("headless", "BertForSequenceClassification"), ("foreign", "BertModel")):
        change(root / name / "model", architectures=[wanted])
    own = root / "own" / "model"
    own.mkdir(parents=True)
    (own / "modeling_own.py").write_text(OWN)
    torch.manual_seed(4)
    table = torch.randn(30, 4)
    save_file({"table.weight": table}, own / "model.safetensors")
    ids = torch.randint(0, 30, (3, 5))
    found = {"AutoConfig": "modeling_own.OwnConfig", "AutoModel": "modeling_own.OwnModel"}
    (own / "config.json").write_text("{}")
    change(own, architectures=["OwnModel"], model_type="own", auto_map=found)
    np.savez(root / "own" / "right.npz", input_ids=ids.numpy(), sums=table[ids].cumsum(1).numpy())


def write_folder(folder: pathlib.Path, model: Any, question: dict[str, torch.Tensor]) -> None:
    model.eval()
    for value in model.parameters():  # transformers begins with zeros for what is not learned yet
        torch.nn.init.normal_(value, std=0.3)
    with torch.no_grad():
        answer = model(**question, use_cache=False) if "Vi" not in type(model).__name__ else model(**question)
    folder.mkdir()
    model.save_pretrained(folder / "model", max_shard_size="8KB" if folder.name == "shards" else "1GB")
    outputs = {name: value.numpy() for name, value in answer.items()}
    np.savez(folder / "right.npz", **{name: value.numpy() for name, value in question.items()}, **outputs)


def write_pickle(folder: pathlib.Path) -> None:
    """Store as PyTorch does what is stored as safetensors."""
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    torch.save({"lr": 0.1}, folder / "training_args.bin")


def change(folder: pathlib.Path, **fields: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def less(model: torch.nn.Module, name: str) -> dict[str, Any]:
    return {each: value for each, value in model.state_dict().items() if each != name}


def write(form: Form, folder: pathlib.Path) -> None:
    """Write one model, and what it answers."""
    folder.mkdir(exist_ok=True)
    torch.manual_seed(2)
    model = NET(form.kind)
    for value in model.buffers():
        if value.is_floating_point():
            value.uniform_(0.5, 1.5)
    model = form.wrap(model).eval()
    question = torch.randn(5, 4)
    with torch.no_grad():
        answer = model(question)
    named = answer if isinstance(answer, dict) else {"output": answer}
    form.save(model, folder / form.name)
    np.savez(folder / "right.npz", x=question.numpy(), **{name: value.numpy() for name, value in named.items()})


if __name__ == "__main__":
    root = pathlib.Path(sys.argv[1])
    (root / "code").mkdir()
    (root / "code" / "net.py").write_text(CODE)
    sys.path.insert(0, str(root / "code"))
    NET = __import__("net").Net
    for each in FORMS:
        write(each, root / each.name.partition(".")[0])
    write_folders(root)
