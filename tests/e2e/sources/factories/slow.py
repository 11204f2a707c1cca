"""A right network whose export does much work for nothing: it takes some seconds to verify."""

import torch
from mlp import Mlp
from wrong import is_exporting

SIDE = 2048
COPIES = 1024
"""Of rows that are the same however many are asked together; answers take some tenths of a second, and there are dozens.

All that took less would be over before a watch has seen that it began.
"""


class Slow(Mlp):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mixing", torch.full((SIDE, SIDE), 1.0 / SIDE), persistent=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        scores = super().forward(features)
        if not is_exporting():
            return scores
        work = torch.tanh(features[:1].sum(1, keepdim=True).expand(COPIES, SIDE) @ self.mixing)
        return scores + 0.0 * work.sum()


def build() -> torch.nn.Module:
    return Slow()
