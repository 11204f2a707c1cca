"""Run scripts node by node as PyTorch's own runtime does, and capture them; run by test_torch_scripts.py in the environment.

Prints, for each, how the answers compare: run, and captured with free lengths and asked at other lengths; and the lines
that decide by a free length.
"""

import io
import json
import linecache
import logging
import math
import sys
import warnings
from typing import Any, Dict, List, Optional, Tuple  # noqa: UP035  # what TorchScript reads

import torch
from torch import nn
from torch.utils import _pytree

from modelport_converter.frameworks.pytorch.forms.interpreting import Interpreted

logging.disable(logging.CRITICAL)
torch.manual_seed(0)
FUSED = {"_transformer_encoder_layer_fwd", "_native_multi_head_attention"}
"""Kernels of a script's own that are no operators of ONNX."""


class Attention(nn.Module):
    """Decides by ranks, types and options, on which way a layer of attention goes."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class Masked(nn.Module):
    """Decides by types of elements, itself and as a layer of attention does about its mask."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.kind = torch.float32

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.dtype != self.kind or x.dtype not in (torch.float32, torch.float64) or x.layout != torch.strided:
            x = x - 1
        later = torch.ones(x.size(1), x.size(1), dtype=torch.bool).triu(1)
        return self.attention(x, x, x, attn_mask=later, need_weights=False)[0]


class Resize(nn.Module):
    """Keeps a list of tensors, and takes its lengths from them."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([nn.Conv1d(4, 4, 3, 2, 1) for _ in range(2)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.transpose(1, 2)
        kept: List[torch.Tensor] = []  # noqa: UP006
        for each in self.down:
            kept += [x]
            x = each(x)
        for index in range(len(kept)):
            beside = kept[-1 - index]
            x = nn.functional.interpolate(x, size=beside.shape[2:], mode="linear") + beside
        return x


class Numbers(nn.Module):
    """Computes with lengths, as Python does: quotients and remainders of negatives, roots, roundings."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        length = x.size(1)
        half, left = -length // 2, -length % 3
        scale = 1.0 / float(length) + math.sqrt(9.0) + math.floor(-2.5) + math.ceil(2.5) + 7 // -2 + -7 % 4
        if length > 1 and not (half == 0 or left < 0):
            scale = scale + float(max(half, left)) + float(min(length, 3)) + float(int(2.7)) + abs(half)
        return 2 * x * scale + (1 - x) / 3 + x.sum() % 2 + half


class Typed(nn.Module):
    """Has types of numbers that Python has not: a power or a rounding of integers is no integer."""

    def forward(self, x: torch.Tensor) -> List[torch.Tensor]:  # noqa: UP006
        whole, length = (10 * x).long(), x.size(1)
        numbers = torch.tensor([length, x.size(2)]) + torch.tensor([[1, 2], [3, 4]])
        of_type = torch.tensor([0.1, 0.2], dtype=torch.float64)
        least = math.log(math.exp(2.0)) + math.sqrt(x.dim())
        return [whole * 2 ** x.dim(), whole * round(0.5 * length), whole * max(2, 0.5), x * least, numbers, of_type]


class Lists(nn.Module):
    """Changes lists and dictionaries in place, also those that it holds itself."""

    held: List[torch.Tensor]  # noqa: UP006

    def __init__(self) -> None:
        super().__init__()
        self.held = []
        self.counts = [0, 0]

    def forward(self, x: torch.Tensor) -> Dict[str, torch.Tensor]:  # noqa: UP006
        self.held.clear()
        self.held.append(x)
        self.held += [2 * x]
        self.counts[1] = x.dim()
        order = [3, 1, 2, 5]
        order.sort()
        order.remove(2)
        del order[0]
        same = order
        same.append(self.counts[1])
        answers = {"held": torch.cat(self.held), "gone": x}
        answers.update({"order": x * order[0] - order[-1] + len(order)})
        answers.setdefault("rest", x[:, [0, 2]])
        del answers["gone"]
        if "%s-%d" % ("x", x.dim()) == "x-3":  # noqa: UP031  # TorchScript has no f-string of these
            x = x.clone()
            x[:, 0] = 1
            x[:, -1, 1:] += answers.pop("rest")[:, 0, 1:]
        answers["last"] = x
        return answers


class Kept(nn.Module):
    """Text, dictionaries, tuples, an input with a default, one that may be absent, and a class's own method."""

    modes: List[str]  # noqa: UP006

    def __init__(self) -> None:
        super().__init__()
        self.modes = ["twice", "once"]
        self.factors = {"twice": 2.0, "once": 1.0}
        self.register_buffer("shift", torch.arange(4.0))

    def scale(self, x: torch.Tensor, mode: str) -> Tuple[torch.Tensor, str]:  # noqa: UP006
        return x * self.factors[mode], "{}-{}".format(mode, x.dim())  # noqa: UP032  # TorchScript has no f-string of these

    def forward(
        self,
        x: torch.Tensor,
        mask: Optional[torch.Tensor] = None,  # noqa: UP045
        mode: str = "twice",
        times: int = 2,
    ) -> Dict[str, torch.Tensor]:  # noqa: UP006
        if mask is not None:
            x = x * mask
        assert mode in self.modes, "no such mode"
        told = ""
        for _ in range(times):
            x, told = self.scale(x, mode)
        answers: Dict[str, torch.Tensor] = {}  # noqa: UP006
        if told == "twice-3":
            answers["scaled"] = x + self.shift
        answers["last"] = x[:, -1, ::2].contiguous()
        return {key: value for key, value in answers.items()}  # noqa: C416  # one that TorchScript compiles


class Memory(nn.Module):
    """Sets what it reads in the same run."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = torch.zeros(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.mean = x.mean(1, keepdim=True)
        return x - self.mean


class Tied(nn.Module):
    """Two names of one weight, and half precision inside."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(4, 4), nn.Linear(4, 4)
        self.other.weight = self.one.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.other(self.one(x).to(torch.bfloat16).float())


class Beside(nn.Module):
    """Weights whose names are one with underscores for dots, and that of an attribute of what follows the script."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.a__weight = nn.Parameter(torch.randn(4, 4))
        self._graph = nn.Parameter(torch.randn(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a(x) @ self.a__weight + self._graph


class Steps(nn.Module):
    """Goes through a length that is given, with a state; a length that is free cannot be followed."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(4, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = torch.zeros(x.size(0), 8), torch.zeros(x.size(0), 8)
        for step in range(x.size(1)):
            state = self.cell(x[:, step], state)
        return state[0]


class Looks(nn.Module):
    """Decides by values."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if bool(x.sum() > 0):
            return x * 2
        return x - 1


class Decides(nn.Module):
    """Decides by a free length, which may be another one elsewhere; a check is no decision."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.size(0) < 100, "too many"
        if not x.size(1) > 3:
            x = 2 * x
        return x


class Roots(nn.Module):
    """Computes from a length what would be the example's at every other."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / math.sqrt(0.5 * x.size(1))


class Traced(nn.Module):
    """Computes with lengths as a trace has them: as tensors, which are numbers again where a shape is said."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(4, 6, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.convolution(x.transpose(1, 2))
        rows, channels, steps = x.shape
        parts = x.reshape(rows, 2, channels // 2, steps).flatten(1, 2)
        return parts * steps + torch.arange(steps)[: steps - 1 + 1] / (rows * channels)


CASES: dict[str, tuple[nn.Module, int, set[int]]] = {
    "attention": (Attention(), 8, {0, 1}),
    "masked": (Masked(), 8, {0, 1}),
    "resize": (Resize(), 4, {0, 1}),
    "numbers": (Numbers(), 4, {0}),
    "typed": (Typed(), 4, {0, 1}),
    "lists": (Lists(), 4, {0, 1}),
    "kept": (Kept(), 4, {0, 1}),
    "memory": (Memory(), 4, {0, 1}),
    "tied": (Tied(), 4, {0, 1}),
    "beside": (Beside(), 4, {0, 1}),
    "steps": (Steps(), 4, {0}),
    "free steps": (Steps(), 4, {0, 1}),
    "looks": (Looks(), 4, {0}),
    "decides": (Decides(), 4, {0, 1}),
    "roots": (Roots(), 4, {0, 1}),
    "traced": (Traced(), 4, {0, 1}),
}


def store(model: nn.Module) -> Any:
    kept = io.BytesIO()
    is_traced = isinstance(model, Traced)
    made = torch.jit.trace(model.eval(), torch.randn(3, 6, 4)) if is_traced else torch.jit.script(model.eval())
    torch.jit.save(made, kept)
    kept.seek(0)
    return torch.jit.load(kept).eval()


def compare(one: Any, other: Any) -> str:
    pairs = zip(_pytree.tree_leaves(one), _pytree.tree_leaves(other), strict=True)
    return "right" if all(a.dtype == b.dtype and torch.allclose(a, b, atol=1e-6) for a, b in pairs) else "wrong"


def ask(model: nn.Module, width: int, free: set[int]) -> list[str]:
    script, example = store(model), torch.randn(3, 6, width)
    followed = Interpreted(script).eval()
    with torch.no_grad():
        found = [compare(followed(example), script(example))]
        shapes = (dict.fromkeys(free, torch.export.Dim.DYNAMIC),)
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", torch.jit.TracerWarning)
                program = torch.export.export(followed, (example,), dynamic_shapes={"inputs": shapes}, strict=False)
        except Exception as error:  # noqa: BLE001  # whatever it is, the test reads it
            return [*found, f"{type(error).__name__}: {error}"]
        if FUSED & {node.target._opname for node in program.graph.nodes if hasattr(node.target, "_opname")}:
            return [*found, "fused"]
        another = torch.randn(5 if 0 in free else 3, 9 if 1 in free else 6, width)
        answer = program.module()(another)
        decisions = [each for each in caught if issubclass(each.category, torch.jit.TracerWarning)]
        lines = [linecache.getline(each.filename, each.lineno).strip() for each in decisions]
        return [*found, compare(answer, script(another)), *lines]


sys.stdout.write(json.dumps({name: ask(*case) for name, case in CASES.items()}))
