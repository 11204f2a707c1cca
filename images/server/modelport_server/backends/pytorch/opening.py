"""Files that PyTorch serves, by their names, as modules that take tensors in a row."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch

from modelport.api.reasons import Reason
from modelport.asking.pytorch.called import Called, open_program
from modelport.asking.pytorch.modules import CODE, open_module
from modelport.asking.pytorch.names import FILE, Names, decode
from modelport.asking.pytorch.programs import find_code
from modelport.errors import ModelportError


class Opened(NamedTuple):
    """A model that answers."""

    model: torch.nn.Module
    names: Names


def _open_script(path: Path) -> Opened:
    extra: dict[str, str | bytes] = {FILE: ""}
    model = torch.jit.load(path, map_location="cpu", _extra_files=extra)
    return Opened(model.eval(), decode(extra[FILE]))


def _open_program(path: Path) -> Opened:
    """Open a program, whose reader would also run what is no operator: nothing that has such things is opened."""
    run = find_code(path)
    if run:
        message = f"{path.name}: expected operators on tensors alone, found {', '.join(run):.300}"
        raise ModelportError(Reason.UNSAFE_SOURCE, message)
    extra: dict[str, str | bytes] = {FILE: ""}
    program = open_program(path, extra)
    return Opened(Called(program), decode(extra[FILE]))


def _open_module(path: Path) -> Opened:
    """Run the code of a module, which nobody plans for without trust."""
    return Opened(open_module(path), decode(path.with_name(FILE).read_bytes()))


OPENERS: Mapping[str, Callable[[Path], Opened]] = {
    "model.pt": _open_script,
    "model.pt2": _open_program,
    CODE: _open_module,
}
