"""Ask small networks under watch which input is a mask; run by test_torch_masks.py in the converter's environment."""

import json
import sys
from pathlib import Path

import torch
from torch.nn.functional import scaled_dot_product_attention

from modelport_converter.frameworks.pytorch.watching.watch import Watch

torch.manual_seed(0)
LINEAR = torch.nn.Linear(8, 8)
ATTENTION = torch.nn.MultiheadAttention(8, 2, batch_first=True).eval()


def scores(x):
    return x @ x.transpose(1, 2)


def heads(x):
    return x[:, None]


ROW, SQUARE = (2, 4), (2, 4, 4)
CASES = {
    "taken from 1, made large": (ROW, lambda x, m: (scores(x) + (1.0 - m[:, None]) * -1e4).softmax(-1)),
    "taken from 1, a condition": (ROW, lambda x, m: x.masked_fill((1.0 - m[..., None]).bool(), -1e9)),
    "compared with 0": (ROW, lambda x, m: scores(x).masked_fill(m[:, None] == 0, -1e9).softmax(-1)),
    "made large": (ROW, lambda x, m: (scores(x) + m[:, None] * -1e9).softmax(-1)),
    "a condition and a factor": (ROW, lambda x, m: x.masked_fill(m[..., None].bool(), 0) * m[..., None]),
    "added": (SQUARE, lambda x, m: (scores(x) / 2 + m).softmax(-1)),
    "added to each head": (SQUARE, lambda x, m: (scores(x).repeat(2, 1, 1) + m.repeat(2, 1, 1)).softmax(-1)),
    "added in place": (SQUARE, lambda x, m: scores(x).add_(m).softmax(-1)),
    "added by an operator": (SQUARE, lambda x, m: scaled_dot_product_attention(*[heads(x)] * 3, attn_mask=heads(m))),
    "added by a module": (ROW, lambda x, m: ATTENTION(x, x, x, key_padding_mask=m)),
    "a temperature": (ROW, lambda _x, m: (m * 1e4).softmax(-1)),
    "a factor": (ROW, lambda x, m: LINEAR(x) * m[..., None]),
    "a residual": ((2, 8), lambda _x, m: (m + LINEAR(m)).softmax(-1)),
    "a gate": ((2, 4, 8), lambda x, m: x * m + (1 - m) * LINEAR(x)),
    "a unit": ((2, 4, 8), lambda x, m: LINEAR(x + m * 1000)),
    "a sum of inputs": ((2, 4, 8), lambda x, m: (x + m).softmax(-1)),
}

found = {}
for name, (shape, run) in CASES.items():
    inputs = {"x": torch.randn(2, 4, 8), "m": torch.randn(shape)}
    watch = Watch(Path(__file__).parent)
    watch.expect(inputs)
    with torch.no_grad(), watch:
        run(*inputs.values())
    found[name] = {input_: [hint.is_mask, hint.is_added, hint.is_number] for input_, hint in watch.hints.items()}
sys.stdout.write(json.dumps(found))
