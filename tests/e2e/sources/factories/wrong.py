"""Networks whose export is wrong on purpose, each in another way: the gate must refuse them all."""

import time
from pathlib import Path

import torch
from mlp import Mlp


def is_exporting() -> bool:
    return torch.onnx.is_in_onnx_export() or torch.compiler.is_exporting() or torch.jit.is_tracing()


class Scaled(Mlp):
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        scores = super().forward(features)
        return scores * 1.001 if is_exporting() else scores


class HalfPrecision(Mlp):
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        if not is_exporting():
            return super().forward(features)
        first, second = self.first, self.second
        hidden = torch.nn.functional.linear(features, first.weight.half().float(), first.bias.half().float())
        return torch.nn.functional.linear(hidden.relu(), second.weight.half().float(), second.bias.half().float())


class SwappedOutputs(Mlp):
    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        scores = super().forward(features)
        return (scores.exp(), scores) if is_exporting() else (scores, scores.exp())


class BakedBatch(Mlp):
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        scores = super().forward(features)
        return scores[:1].expand(scores.shape) if is_exporting() else scores


class TrainingDropout(Mlp):
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.dropout(super().forward(features), p=0.5, training=True)


class Noise(Mlp):
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return super().forward(features) + torch.rand(3)


class Constant(Mlp):
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return super().forward(features) * 0.0 + 1.0


KINDS = {
    kind.__name__: kind
    for kind in (
        Scaled,
        HalfPrecision,
        SwappedOutputs,
        BakedBatch,
        TrainingDropout,
        Noise,
        Constant,
    )
}


def build(kind: str) -> torch.nn.Module:
    return KINDS[kind]()


def raises() -> torch.nn.Module:
    raise LookupError("the table of classes is missing")


def no_model() -> dict[str, int]:
    return {"not": 1}


def sleeps() -> torch.nn.Module:
    print("sleeping longer than the deadline", flush=True)  # noqa: T201 - becomes the log tail
    time.sleep(3600)
    return Mlp()


def fills() -> torch.nn.Module:
    """Writes more than its volume may hold, and stays until the kubelet notices."""
    print("filling the volume", flush=True)  # noqa: T201 - becomes the log tail
    with Path("/work/ask/out/filler").open("wb") as file:
        file.writelines(b"x" * (1 << 20) for _ in range(128))
    time.sleep(3600)
    return Mlp()


def devours() -> torch.nn.Module:
    """Takes memory until the kernel ends it."""
    print("taking all memory", flush=True)  # noqa: T201 - becomes the log tail
    taken = []
    while True:
        taken.append(bytearray(b"x" * (64 << 20)))
