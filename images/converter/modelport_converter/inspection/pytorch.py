"""PyTorch state dicts: a whole file, and a pickle that names nothing but what rebuilds tensors.

The pickle is read as a list of opcodes, never loaded. The converter loads it with `weights_only=True`; this scan is a
second opinion, with a message that names what was found.
"""

import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from modelport.contract import ModelportError
from modelport.reasons import Reason

_LEGACY_PICKLE = b"\x80\x02"
_ALLOWED = {
    "collections OrderedDict",
    "collections defaultdict",
    "collections Counter",
    "_codecs encode",
    "builtins dict",
    "builtins set",
    "builtins list",
    "builtins int",
    "builtins bytearray",
    "argparse Namespace",
    "numpy dtype",
    "numpy ndarray",
}
_ALLOWED_MODULES = (
    "torch",
    "torch._utils",
    "torch._tensor",
    "torch.storage",
    "torch.nn.parameter",
    "torch.serialization",
)
_ALLOWED_NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.dtypes")


def inspect(folder: Path, paths: list[str]) -> None:
    """Check the one file. A state dict tells no signature. Raises ModelportError."""
    if len(paths) != 1:
        raise ModelportError(Reason.SOURCE_CORRUPT, f"expected one file with weights, found {', '.join(paths):.200}")
    path = folder / paths[0]
    for found in _globals(path):
        module, _, name = found.partition(" ")
        if not (found in _ALLOWED or module in _ALLOWED_MODULES or module in _ALLOWED_NUMPY):
            message = f"{path.name}: expected weights alone, found a pickle that would call {module}.{name}"[:400]
            raise ModelportError(Reason.UNSAFE_SOURCE, message)


def _globals(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            if file.read(2) == _LEGACY_PICKLE:
                file.seek(0)
                for _ in range(5):  # magic number, protocol version, system, the object, the storages' keys
                    yield from _scan(file)
                return
        with zipfile.ZipFile(path) as archive:
            pickles = [name for name in archive.namelist() if name.endswith("/data.pkl") or name == "data.pkl"]
            if not pickles:
                raise ModelportError(
                    Reason.SOURCE_CORRUPT, f"{path.name}: expected what torch.save writes, found a zip without data.pkl"
                )
            for name in pickles:
                with archive.open(name) as member:
                    yield from _scan(member)
    except (zipfile.BadZipFile, ValueError, EOFError, IndexError) as error:
        message = f"{path.name}: expected a whole file as torch.save writes it, found: {error!s:.200}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error


def _scan(file: IO[bytes]) -> Iterator[str]:
    strings: list[str] = []
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name == "GLOBAL":
            yield str(argument)
        elif opcode.name == "STACK_GLOBAL":
            yield " ".join(strings[-2:])
        elif opcode.name in {"INST", "EXT1", "EXT2", "EXT4"}:
            yield f"{opcode.name} {argument}"
        if isinstance(argument, str):
            strings.append(argument)
