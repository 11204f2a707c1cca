"""A small network that is right."""

import torch


class Mlp(torch.nn.Module):
    def __init__(self, hidden: int = 8, outputs: int = 3) -> None:
        super().__init__()
        self.first = torch.nn.Linear(4, hidden)
        self.second = torch.nn.Linear(hidden, outputs)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.second(torch.relu(self.first(features)))


def build(**sizes: int) -> torch.nn.Module:
    return Mlp(**sizes)


def deeper() -> torch.nn.Module:
    """Expects a layer that the weights do not have."""
    model = Mlp()
    model.third = torch.nn.Linear(3, 3)
    return model
