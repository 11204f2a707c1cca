"""Folders as transformers writes them, of small models; run by the Python of the converter's environment.

`python torch_folders.py FOLDER` converts all of them in one process, and leaves what torch_forms.py leaves.
"""

import json
import pathlib
import sys
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch_steps import convert

from modelport_converter.frameworks.pytorch.building.torchvision_shim import install

install()  # before any model of transformers is loaded

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
SIZES = {name: value for name, value in SMALL.items() if name.startswith(("hidden", "num", "inter"))}
BERT = transformers.BertConfig(**SMALL, pad_token_id=0)
WORDS = {
    "input_ids": torch.randint(1, 50, (3, 7)),
    "attention_mask": torch.tensor([[1] * 7, [1] * 5 + [0] * 2, [1] * 3 + [0] * 4]),
}
TYPED = WORDS | {"token_type_ids": torch.randint(0, 2, (3, 7))}
ANSWERED = {"decoder_input_ids": torch.randint(1, 50, (3, 4))}
SEEN = {"pixel_values": torch.randn(3, 3, 16, 16)}


class Folder(NamedTuple):
    """One model."""

    name: str
    model: torch.nn.Module
    question: dict[str, torch.Tensor]
    by: str | None = "other-exporter"
    """Of the paths, which: a trace is taken in doubt, where capture takes ten times as long."""
    architecture: str = ""
    """Another one than the model's, to be written in its place."""


def text_folders() -> list[Folder]:
    """Return models for tokens."""
    gpt = transformers.GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=2, n_positions=40)
    mixtral = transformers.MixtralConfig(
        **SMALL, num_key_value_heads=1, num_local_experts=3, num_experts_per_tok=2, sliding_window=4
    )
    decoder = transformers.BertConfig(**SMALL, is_decoder=True, add_cross_attention=True)
    pair = transformers.EncoderDecoderConfig.from_encoder_decoder_configs(BERT, decoder)
    t5 = transformers.T5Config(vocab_size=50, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2)
    deberta = transformers.DebertaV2Config(
        **SMALL, relative_attention=True, position_buckets=8, pos_att_type=["c2p", "p2c"], max_relative_positions=16
    )
    return [
        Folder("masked", transformers.BertForMaskedLM(BERT), TYPED, by=None),  # its decoder is its table of words
        Folder("causal", transformers.GPT2LMHeadModel(gpt), WORDS),
        Folder("shards", transformers.BertModel(BERT), TYPED),
        Folder("pickled", transformers.BertModel(BERT), TYPED),
        Folder("pickled_shards", transformers.BertModel(BERT), TYPED),
        Folder("experts", transformers.MixtralForCausalLM(mixtral), WORDS),
        Folder("translating", transformers.T5ForConditionalGeneration(t5), WORDS | ANSWERED),
        Folder("pair", transformers.EncoderDecoderModel(pair), WORDS | ANSWERED),
        Folder("relative", transformers.DebertaV2ForSequenceClassification(deberta), WORDS),
        Folder("headless", transformers.BertModel(BERT), TYPED, architecture="BertForSequenceClassification"),
        Folder("foreign", transformers.BertForSequenceClassification(BERT), TYPED, architecture="BertModel"),
    ]


def other_folders() -> list[Folder]:
    """Return models for images and sounds."""
    vit = transformers.ViTConfig(**SIZES, image_size=16, patch_size=8, num_labels=3)
    convnext = transformers.ConvNextConfig(hidden_sizes=[8] * 4, depths=[1] * 4, image_size=32)
    seen, read = {**SIZES, "image_size": 16, "patch_size": 8}, {**SMALL, "eos_token_id": 2}
    clip = transformers.CLIPConfig(text_config=read, vision_config=seen, projection_dim=8)
    heard = transformers.Wav2Vec2Config(
        **{**SIZES, "num_feat_extract_layers": 2, "vocab_size": 20},
        conv_dim=[8, 8],
        conv_stride=[5, 2],
        conv_kernel=[10, 3],
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
    )
    large = {"pixel_values": torch.randn(2, 3, 32, 32)}
    return [
        Folder("seen", transformers.ViTForImageClassification(vit), SEEN, by=None),
        Folder("convolved", transformers.ConvNextForImageClassification(convnext), large, by=None),
        Folder("compared", transformers.CLIPModel(clip), WORDS | SEEN),
        Folder("heard", transformers.Wav2Vec2ForCTC(heard), {"input_values": torch.randn(2, 400)}),
    ]


def write(each: Folder, folder: pathlib.Path) -> None:
    """Write a folder as transformers does, and what the model answers."""
    model, source = each.model.eval(), folder / "stage" / "out" / "source"
    for value in model.parameters():  # transformers begins with zeros for what is not learned yet
        torch.nn.init.normal_(value, std=0.3)
    model.set_attn_implementation("eager")
    with torch.no_grad():
        answer = model(**each.question)
    source.mkdir(parents=True)
    model.save_pretrained(source, max_shard_size="8KB" if "shards" in each.name else "1GB")
    if each.name.startswith("pickled"):
        write_pickles(source)
    if each.architecture:
        change(source, architectures=[each.architecture])
    outputs = {name: value.numpy() for name, value in answer.items() if isinstance(value, torch.Tensor)}
    np.savez(folder / "right.npz", **{name: value.numpy() for name, value in each.question.items()}, **outputs)


def write_pickles(folder: pathlib.Path) -> None:
    """Store as PyTorch does what is stored as safetensors, with what lies beside it."""
    for path in list(folder.glob("model*.safetensors")):
        name = path.name.replace("model", "pytorch_model").replace(".safetensors", ".bin")
        torch.save(load_file(path), folder / name)
        path.unlink()
    for path in folder.glob("*.index.json"):
        text = path.read_text().replace('"model-', '"pytorch_model-').replace(".safetensors", ".bin")
        (folder / "pytorch_model.bin.index.json").write_text(text)
        path.unlink()
    torch.save({"lr": 0.1}, folder / "training_args.bin")


def write_twice(folder: pathlib.Path) -> None:
    """Have a second file of weights hold other numbers for what is in the first one."""
    first, second = sorted(folder.glob("pytorch_model-*.bin"))[:2]
    torch.save(torch.load(second) | {name: value * 2 for name, value in torch.load(first).items()}, second)


def write_own(folder: pathlib.Path) -> None:
    """Write a model whose code lies beside its configuration."""
    source = folder / "stage" / "out" / "source"
    source.mkdir(parents=True)
    (source / "modeling_own.py").write_text(OWN)
    table, ids = torch.randn(30, 4), torch.randint(0, 30, (3, 5))
    save_file({"table.weight": table}, source / "model.safetensors")
    found = {"AutoConfig": "modeling_own.OwnConfig", "AutoModel": "modeling_own.OwnModel"}
    (source / "config.json").write_text("{}")
    change(source, architectures=["OwnModel"], model_type="own", auto_map=found)
    question = {"input_ids": ids.numpy(), "attention_mask": torch.ones_like(ids).numpy()}
    np.savez(folder / "right.npz", **question, sums=table[ids].cumsum(1).numpy())


def change(folder: pathlib.Path, **fields: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


if __name__ == "__main__":
    root = pathlib.Path(sys.argv[1])
    torch.manual_seed(4)
    outcomes = {}
    for each in [*text_folders(), *other_folders()]:
        if each.name in sys.argv[2:] or not sys.argv[2:]:
            write(each, root / each.name)
            outcomes[each.name] = convert(root / each.name, by=each.by)
    if not sys.argv[2:]:
        write(Folder("doubled", transformers.BertModel(BERT), TYPED)._replace(name="pickled_shards"), root / "doubled")
        write_twice(root / "doubled" / "stage" / "out" / "source")
        outcomes["doubled"] = convert(root / "doubled")
        write(Folder("adapted", transformers.BertModel(BERT), TYPED), root / "adapted")
        (root / "adapted" / "stage" / "out" / "source" / "adapter_config.json").write_text("{}")
        outcomes["adapted"] = convert(root / "adapted")
        write(Folder("endless", transformers.BertModel(BERT), TYPED), root / "endless")
        change(root / "endless" / "stage" / "out" / "source", num_hidden_layers=10**30)
        outcomes["endless"] = convert(root / "endless")
        for name, is_trusted in (("own", True), ("own_untrusted", False)):
            write_own(root / name)
            outcomes[name] = convert(root / name, trusted=is_trusted)
    (root / "outcomes.json").write_text(json.dumps({name: each._asdict() for name, each in outcomes.items()}))
