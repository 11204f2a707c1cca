"""A right network whose export does much work for nothing: converting takes a moment, verifying some seconds."""

import torch
from mlp import Mlp
from wrong import is_exporting

SIDE = 2048
ROUNDS = 400


class Slow(Mlp):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mixing", torch.full((SIDE, SIDE), 1.0 / SIDE), persistent=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        scores = super().forward(features)
        if not is_exporting():
            return scores
        work = features.sum(1, keepdim=True).expand(-1, SIDE)
        for _ in range(ROUNDS):
            work = torch.tanh(work @ self.mixing)
        return scores + 0.0 * work.sum(1, keepdim=True)


def build() -> torch.nn.Module:
    return Slow()
