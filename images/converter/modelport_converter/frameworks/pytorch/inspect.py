"""PyTorch state dicts: a whole file whose weights are tensors, and need nothing that would have to be called.

The pickle is read as data, by what the converter reads it with, too; so the two agree.
"""

from pathlib import Path

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.storage.trees import FolderTree
from modelport_converter.frameworks.pytorch.weights.checkpoints import Checkpoint, describe, read_checkpoint
from modelport_converter.frameworks.pytorch.weights.pickles import Name, Object
from modelport_converter.tasks import find_part

EXTRA_STATE = "_extra_state"
"""Weights may hold what a module's own get_extra_state returned under a name that ends so."""


def inspect(folder: Path, paths: list[str]) -> None:
    """Check the one file. A state dict tells no signature. Raises ModelportError."""
    path = find_part(FolderTree(folder, tuple(paths)), "pytorch-state-dict", "weights")
    checkpoint = read_checkpoint(path)
    try:
        foreign = _find_foreign(checkpoint)
    except ValueError as error:
        message = f"{path.name}: expected a whole file as torch.save writes it, found: {error!s:.200}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    if foreign is not None:
        message = f"{path.name}: expected weights as tensors, found {describe(foreign)}, which only calling it would make; save model.state_dict() alone"
        raise ModelportError(Reason.UNSAFE_SOURCE, message)


def _find_foreign(checkpoint: Checkpoint) -> object:
    """Return what stands for weights without being tensors: among tensors, or where there are none at all."""
    values = list(checkpoint.walk())
    tensors = {id(value) for value in values if checkpoint.find_tensor(value) is not None}  # each of them is checked
    content = checkpoint.content
    if isinstance(content, dict) and tensors:
        if not any(id(value) in tensors for value in content.values()):
            return None  # weights among other things: which they are is for checkpoint.key to say
        values = [value for name, value in content.items() if not str(name).endswith(EXTRA_STATE)]
    return next((each for each in values if isinstance(each, (Name, Object)) and id(each) not in tensors), None)
