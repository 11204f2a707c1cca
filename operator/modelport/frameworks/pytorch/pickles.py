"""Files that torch.save wrote: weights, checkpoints and whole modules.

They are zip archives since PyTorch 1.6, before that pickles one after the other. Which of them it is, the first step of
the pickle says: a dict is made by itself, all else by what the pickle would import.
"""

import io
import pickletools
from collections.abc import Callable
from typing import Any

from modelport.conversion.detection import Evidence, Tree, play

SUFFIXES = (".pt", ".pth", ".bin", ".ckpt")
PICKLE = "data.pkl"
"""In the zip archive that torch.save writes since 1.6, in a folder named after the file."""
LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""How torch.save began a file before: a pickle of the number 0x1950a86a20f9469cfc6c."""
HEADS = 3
"""Pickles before the one of the content: that number, a version, and sizes of types."""
CONSTANTS = "constants.pkl"
"""Beside the pickle where torch.jit.save wrote the archive."""
GENERATED = ("model.py", "state_dict.pt", "modelport.json")
"""Of a module whose code was generated."""
_LOCAL_HEADER = 30
_PLAIN = ("collections OrderedDict", "torch._utils ", "torch._tensor ")
"""What a pickle of weights imports before all else."""
_SILENT = ("PROTO", "FRAME", "MEMOIZE", "BINPUT")


def detect_weights(tree: Tree) -> Evidence | None:
    """Look for weights, alone or in a checkpoint."""
    return _detect("weights", tree, lambda imported: not imported) or play(
        "weights", [path for path in tree.paths if _is_cut(tree, path)], is_sure=False
    )


def detect_module(tree: Tree) -> Evidence | None:
    """Look for modules that were saved whole, and for generated ones: a file of code with its weights and names beside it."""
    folders = [path.removesuffix(GENERATED[0]) for path in tree.paths if path.rpartition("/")[2] == GENERATED[0]]
    whole = [folder for folder in folders if all(f"{folder}{name}" in tree.paths for name in GENERATED)]
    if whole:
        parts = zip(("model", "weights", "names"), GENERATED, strict=True)
        rivals = tuple(f"{folder}{GENERATED[0]}" for folder in whole[1:])
        return Evidence({part: f"{whole[0]}{name}" for part, name in parts}, rivals=rivals)
    return _detect("model", tree, bool)


def _detect(part: str, tree: Tree, is_meant: Callable[[str], bool]) -> Evidence | None:
    saved = [path for path in tree.paths if tree.read(path).startswith(LEGACY) or _is_saved(tree.members(path))]
    return play(part, [path for path in saved if is_meant(_imported(tree.read(path)))], is_sure=True)


def _is_saved(members: frozenset[str]) -> bool:
    """Whether torch.save wrote an archive: all is in one folder, with a pickle and the version of the archive."""
    roots = {name.partition("/")[0] for name in members}
    wanted = {f"{root}/{name}" for root in roots for name in (PICKLE, "version")}
    return len(roots) == 1 and wanted <= members and not any(f"{root}/{CONSTANTS}" in members for root in roots)


def _is_cut(tree: Tree, path: str) -> bool:
    """Whether it has the name of weights, and lost its end: there is no list of its members any more."""
    begins = path.endswith(SUFFIXES) and tree.read(path).startswith((b"PK\x03\x04", b"\x80\x02"))
    return begins and not tree.members(path)


def _imported(head: bytes) -> str:
    """Return the class that makes the content of a file, as its beginning tells; none for a dict of whatever."""
    start = 0
    if head.startswith(b"PK"):  # torch.save writes the pickle first, and stores it as it is
        start = _LOCAL_HEADER + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
    file = io.BytesIO(head[start:])
    strings: list[str] = []
    try:
        for _ in range(HEADS if head.startswith(LEGACY) else 0):
            for _step in pickletools.genops(file):
                pass
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name in ("SHORT_BINUNICODE", "BINUNICODE", "MARK"):
                strings.append(str(argument))
            elif opcode.name not in _SILENT:
                return _class_of(opcode.name, argument, strings)
    except (ValueError, IndexError):
        pass
    return ""


def _class_of(step: str, argument: Any, strings: list[str]) -> str:
    if step == "STACK_GLOBAL":
        argument, step = " ".join(strings), "GLOBAL"
    # old files name a class by where its code is: ("module", class, file, code)
    is_class = step == "GLOBAL" and strings in ([], ["None", "module"], str(argument).split(" "))
    return "" if not is_class or str(argument).startswith(_PLAIN) else str(argument)
