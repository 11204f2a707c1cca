"""A right network whose export does much work for nothing: it takes some seconds to verify."""

import torch
from mlp import Mlp
from wrong import is_exporting

SIDE = 2048
COPIES = 1536
ROUNDS = 4
"""Of each a second or so: fewer are over before a watch has seen that they began."""


class Slow(Mlp):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mixing", torch.full((SIDE, SIDE), 1.0 / SIDE), persistent=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        scores = super().forward(features)
        if not is_exporting():
            return scores
        work = features.sum(1).reshape(-1, 1, 1).expand(-1, COPIES, SIDE)
        for _ in range(ROUNDS):
            work = torch.tanh(work @ self.mixing)
        return scores + 0.0 * work.sum((1, 2)).unsqueeze(1)


def build() -> torch.nn.Module:
    return Slow()
