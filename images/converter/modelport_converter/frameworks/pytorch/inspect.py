"""PyTorch's files: whole ones whose weights are tensors, and need nothing that would have to be called.

A pickle is read as data, by what the converter reads it with, too; so the two agree.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec

from modelport.api.reasons import Reason
from modelport.api.status import Signature
from modelport.asking.pytorch.pickles import Name, Object
from modelport.asking.pytorch.programs import find_code
from modelport.errors import ModelportError, describe_error
from modelport.frameworks.pytorch.pickles import GENERATED
from modelport.steps.runner import say
from modelport.storage.archives import DAMAGED, list_zip
from modelport.storage.trees import FolderTree
from modelport_converter.frameworks.pytorch.weights.checkpoints import Checkpoint, describe, read_checkpoint
from modelport_converter.frameworks.pytorch.weights.shards import INDEX, find_shards, is_safetensors, read_index
from modelport_converter.frameworks.pytorch.weights.signatures import read_signature
from modelport_converter.tasks import find_part

LOGGER = "torch"
CODE, STATE, _ = GENERATED
REMOTE_CODE = "auto_map"
"""Where a configuration of transformers names Python files beside it."""
ADAPTER = "adapter_config.json"
"""What transformers puts on top of a model whose folder has it."""
EXTRA_STATE = "_extra_state"
"""Weights may hold what a module's own get_extra_state returned under a name that ends so."""


def inspect(folder: Path, paths: list[str], format_name: str) -> Signature | None:
    """Check the files, and return the signature, which a program tells alone. Raises ModelportError."""
    tree = FolderTree(folder, tuple(paths))
    if format_name in _WHOLE:
        return _WHOLE[format_name](find_part(tree, format_name))
    path = find_part(tree, format_name, "weights")
    if format_name == "huggingface":
        _check_config(find_part(tree, format_name, "config"))
    for shard in read_index(path) if path.name.endswith(INDEX) and not is_safetensors(path) else (path,):
        (find_shards if is_safetensors(shard) else _check_pickle)(shard)
    return None


def _check_config(path: Path) -> None:
    if path.with_name(ADAPTER).exists():
        message = f"{ADAPTER}: expected the weights of one model, found an adapter beside them, which would be left out; merge it into them (merge_and_unload of peft)"
        raise ModelportError(Reason.WEIGHTS_MISMATCH, message)
    try:
        code = msgspec.json.decode(path.read_bytes(), type=dict).get(REMOTE_CODE)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"{path.name}: expected the configuration of a model, found: {describe_error(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    if code:
        told = ", ".join(map(str, code.values())) if isinstance(code, dict) else str(code)
        message = f"{path.name}: {REMOTE_CODE} names code that comes with the model, and would run: {told:.300}"
        raise ModelportError(Reason.UNTRUSTED_SOURCE, message)


def _check_pickle(path: Path) -> None:
    checkpoint = read_checkpoint(path)
    try:
        foreign = _find_foreign(checkpoint)
    except ValueError as error:
        message = f"{path.name}: expected a whole file as torch.save writes it, found: {describe_error(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    if foreign is not None:
        message = f"{path.name}: expected weights as tensors, found {describe(foreign)}, which only calling it would make; save model.state_dict() alone, or state format: pytorch-module and trust: Trusted"
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


def _check_script(path: Path) -> None:
    try:
        with path.open("rb") as file:
            list_zip(path.name, file)
    except DAMAGED as error:
        message = f"{path.name}: expected a whole archive of torch.jit.save, found: {describe_error(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error


def _check_program(path: Path) -> Signature | None:
    run = find_code(path)
    if run:
        message = f"{path.name}: opening it would run what is neither an operator nor a tensor: {', '.join(run):.300}"
        raise ModelportError(Reason.UNTRUSTED_SOURCE, message)
    told = read_signature(path)
    return None if told.outputs is None else Signature(inputs=list(told.inputs), outputs=list(told.outputs))


def _check_module(path: Path) -> None:
    if path.name == CODE:
        say(LOGGER, f"opening it runs {CODE}, which trust: Trusted allows")
        _check_pickle(path.with_name(STATE))
        return
    say(LOGGER, f"opening it makes a {describe(read_checkpoint(path).content)}, which trust: Trusted allows")


_WHOLE: dict[str, Callable[[Path], Signature | None]] = {
    "torchscript": _check_script,
    "pytorch-export": _check_program,
    "pytorch-module": _check_module,
}
