"""Generated modules: code and weights in a folder. Opening one runs its code, in source and candidate alike."""

import importlib.util
from pathlib import Path

import torch

CODE = "model.py"
"""Has the class `Model`, which is built without arguments."""
STATE = "state_dict.pt"


def open_module(path: Path) -> torch.nn.Module:
    """Return the module of a file of code, with the weights beside it."""
    spec = importlib.util.spec_from_file_location(f"generated_{abs(hash(path))}", path)
    assert spec is not None
    assert spec.loader is not None
    code = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(code)
    model: torch.nn.Module = code.Model()
    model.load_state_dict(torch.load(path.with_name(STATE), map_location="cpu", weights_only=True))
    return model.eval()
