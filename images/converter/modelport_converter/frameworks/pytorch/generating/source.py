"""The file of a generated module."""

import inspect
import textwrap
from collections.abc import Sequence

from modelport.asking.pytorch.names import Names
from modelport_converter.frameworks.pytorch.generating.code import Blueprint

_HEAD = '''"""A model that was converted from ONNX: its weights are in state_dict.pt.

    model = Model()
    model.load_state_dict(torch.load("state_dict.pt", weights_only=True))
    model.eval()
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
'''


def _listed(names: Sequence[str]) -> str:
    """Return names in one line: a graph's may be any text."""
    return ", ".join(name if name.isprintable() else ascii(name) for name in names)


def write_source(
    module: Blueprint, inputs: Sequence[str], lines: Sequence[str], answers: Sequence[str], names: Names
) -> str:
    """Return the source of a module whose forward has these lines."""
    helpers = [inspect.getsource(each).rstrip() for each in module.helpers.values()]
    made = [f"self.{name} = {text}" for name, text in module.made.items()]
    taken = "".join(f", {name}: Tensor" for name in inputs)
    kind = f"tuple[{', '.join(['Tensor'] * len(answers))}]"
    body = [*lines, f"return ({', '.join(answers)},)"]
    model = [
        "class Model(nn.Module):",
        f"    # inputs: {_listed(names.inputs)}",
        f"    # outputs: {_listed(names.outputs)}",
        "    def __init__(self) -> None:",
        *(f"        {line}" for line in ("super().__init__()", *made)),
        "",
        f"    def forward(self{taken}) -> {kind}:",
        *(f"        {line}" for line in body),
    ]
    return (
        "\n\n".join([_HEAD.rstrip(), *(f"\n{textwrap.dedent(each)}" for each in helpers), "\n" + "\n".join(model)])
        + "\n"
    )
