"""PyTorch state dicts: a whole file, and a pickle that names nothing but what rebuilds tensors.

The pickle is read as a list of opcodes, never loaded. The converter loads it with `weights_only=True`; this scan is a
second opinion, with a message that names what was found.
"""

import pickletools
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from modelport.contract import ModelportError
from modelport.reasons import Reason

_LEGACY_PICKLE = b"\x80\x02"
_LEGACY_PICKLES = 5  # magic number, protocol version, system, the object, the storages' keys
_ALLOWED = re.compile(
    r"""
    collections\ (OrderedDict|Counter) | _codecs\ encode | (builtins|__builtin__)\ (bytearray|complex|set)
    | torch(\.cuda)?(\.sparse)?\ [A-Z]\w*(Storage|Tensor)
    | torch\ (Size|Tensor|device|bool|bfloat16|bits\w+|complex\d+|float\d\w*|u?int\d+|qu?int\w+|per_(channel|tensor)_\w+)
    | torch\._utils\ _rebuild_\w+ | torch\._tensor\ _rebuild_from_type_v2 | torch\.nn\.parameter\ Parameter
    | torch\.serialization\ _get_layout | torch\.storage\ (TypedStorage|UntypedStorage)
    """,
    re.VERBOSE,
)
"""What `torch.load(weights_only=True)` of torch 2.13 takes. Its modules as a whole are no answer: torch.load is in one."""


_UNNAMED = "what only running it would tell (pickle protocol 4 or later; torch.save writes 2)"


def inspect(folder: Path, paths: list[str]) -> None:
    """Check the one file. A state dict tells no signature. Raises ModelportError."""
    if len(paths) != 1:
        raise ModelportError(Reason.SOURCE_CORRUPT, f"expected one file with weights, found {', '.join(paths):.200}")
    path = folder / paths[0]
    for found in _globals(path):
        if not _ALLOWED.fullmatch(found):
            called = found if found == _UNNAMED else found.replace(" ", ".")
            message = f"{path.name}: expected weights alone, found a pickle that would call {called}"[:400]
            raise ModelportError(Reason.UNSAFE_SOURCE, message)


def _globals(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            if file.read(2) == _LEGACY_PICKLE:
                file.seek(0)
                for _ in range(_LEGACY_PICKLES):
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
    except (zipfile.BadZipFile, zlib.error, RuntimeError, ValueError, EOFError) as error:
        message = f"{path.name}: expected a whole file as torch.save writes it, found: {error!s:.200}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error


def _scan(file: IO[bytes]) -> Iterator[str]:
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name == "GLOBAL":
            yield str(argument)
        elif opcode.name == "STACK_GLOBAL":
            # its names come from the stack, so that reading cannot tell them; torch refuses that protocol as well
            yield _UNNAMED
        elif opcode.name in {"INST", "OBJ", "EXT1", "EXT2", "EXT4"}:
            yield f"{opcode.name} {argument}"
