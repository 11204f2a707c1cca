"""What the gate costs beside the export it guards: `make bench-gate-cost`. Prints the row of docs/performance.md.

A BERT of MiniLM's size (6 layers, width 384, 12 heads, 30,522 words) with random weights goes through `modelport run`.
Samples, noise floor, edges and the second build are in step ask, the candidate's answers and companies in try, the
verdict in judge; the export is step hop-1. Ask loads the model too, so the ratio says a little more than the gate costs.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from modelport_cli.local.environments import find_recipe, prepare

CODE = """
import torch
from torch import nn


class Bert(nn.Module):
    def __init__(self, words=30522, width=384, heads=12, layers=6, inner=1536, longest=512):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(longest, width)
        self.layers = nn.ModuleList(Layer(width, heads, inner) for _ in range(layers))

    def forward(self, input_ids, attention_mask):
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        hidden = self.words(input_ids) + self.places(places)[None]
        mask = (1.0 - attention_mask[:, None, None, :].float()) * -1e9
        for layer in self.layers:
            hidden = layer(hidden, mask)
        return hidden


class Layer(nn.Module):
    def __init__(self, width, heads, inner):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, hidden, mask):
        parts = (part(hidden) for part in (self.query, self.key, self.value))
        query, key, value = (each.unflatten(-1, (self.heads, -1)).transpose(1, 2) for each in parts)
        weights = torch.softmax(query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5 + mask, -1)
        hidden = self.first(hidden + self.out((weights @ value).transpose(1, 2).flatten(2)))
        return self.second(hidden + self.down(nn.functional.gelu(self.up(hidden))))
"""
SAVE = "import sys, torch, net; torch.manual_seed(0); torch.save(net.Bert().state_dict(), sys.argv[1])"
INPUTS = [{"name": name, "dtype": "int64", "shape": ["batch", "tokens"]} for name in ("input_ids", "attention_mask")]
STEPS = ("ask", "hop-1", "try", "judge")


def main() -> None:
    """Convert once, and read from the steps' logs how long each worked."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "code").mkdir()
        (folder / "code" / "net.py").write_text(CODE)
        python = prepare(find_recipe("converter-pytorch"))
        subprocess.run([python, "-c", SAVE, folder / "weights.pt"], cwd=folder / "code", check=True)
        source = {
            "uri": "file:weights.pt",
            "trust": "Trusted",
            "code": {"uri": "file:code/", "factory": "net:Bert"},
            "inputs": INPUTS,
        }
        kind = {"apiVersion": "modelport.dev/v1alpha1", "kind": "ModelConversion", "metadata": {"name": "bert"}}
        (folder / "manifest.yaml").write_text(json.dumps(kind | {"spec": {"source": source}}))
        command = [sys.executable, "-m", "modelport_cli", "run", "manifest.yaml", "--output", "out", "--work", "work"]
        subprocess.run(command, cwd=folder, check=True)
        logs = "".join(path.read_text() for path in (folder / "work").glob("*/*.log"))
    seconds = {step: float(found) for step, found in re.findall(r"(\S+): done in ([0-9.]+) s", logs) if step in STEPS}
    gate = sum(seconds[step] for step in STEPS if step != "hop-1")
    print(", ".join(f"{step} {seconds[step]:.2f} s" for step in STEPS))
    print(f"the gate's own cost: {gate / seconds['hop-1']:.1f} times one export")


if __name__ == "__main__":
    main()
