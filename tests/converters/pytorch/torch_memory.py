"""Most bytes alive at once while attentions are asked, unwatched and watched; printed as JSON."""

import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from modelport.api.spec import Input
from modelport_converter.frameworks.pytorch.answering import Asker

LENGTH, HEADS, SIZE, LAYERS = 256, 4, 8, 12


class Attention(torch.nn.Module):
    """Scores, a mask, softmax, a copy of it, and values."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        scores = x @ x.transpose(-1, -2) + (1.0 - mask[:, None, None]) * -1e9
        return scores.softmax(-1).clone() @ x


class Stack(torch.nn.Module):
    """Attentions, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList(Attention() for _ in range(LAYERS))

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x, mask)
        return x


class Alive(TorchDispatchMode):
    """Counts the bytes of all results that are still in use."""

    def __init__(self) -> None:
        super().__init__()
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self.most = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        storage = result.untyped_storage()
        self._alive[storage.data_ptr()] = (StorageWeakRef(storage), storage.nbytes())
        self._alive = {place: each for place, each in self._alive.items() if not each[0].expired()}
        self.most = max(self.most, sum(size for _, size in self._alive.values()))
        return result


def main() -> None:
    """Print it."""
    inputs = [Input(name="x", shape=[1, HEADS, LENGTH, SIZE]), Input(name="m", shape=[1, LENGTH])]
    tensors = {each.name: np.ones(each.shape, np.float32) for each in inputs}
    asker = Asker(Stack().eval(), inputs, Path(tempfile.gettempdir()))
    most = {}
    for name, run in (("unwatched", asker.run_unwatched), ("watched", asker.run)):
        with Alive() as alive:
            run(tensors)
        most[name] = alive.most
    masks = [name for name, hint in asker.watch.hints.items() if hint.is_mask]
    print(json.dumps({**most, "scores": LENGTH * LENGTH * HEADS * 4, "masks": masks}))  # noqa: T201


main()
