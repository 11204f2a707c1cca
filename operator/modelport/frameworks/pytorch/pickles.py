"""Files that torch.save wrote: a zip archive since PyTorch 1.6, before that pickles one after the other."""

from modelport.conversion.detection import Evidence, Tree, play

SUFFIXES = (".pt", ".pth", ".bin", ".ckpt")
PICKLE = "data.pkl"
"""In the zip archive that torch.save writes since 1.6, in a folder named after the file."""
LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""How torch.save began a file before: a pickle of the number 0x1950a86a20f9469cfc6c."""


def detect_weights(tree: Tree) -> Evidence | None:
    """Look for weights."""
    sure = [path for path in tree.paths if tree.read(path).startswith(LEGACY) or is_saved(tree.members(path))]
    return play("weights", sure or [path for path in tree.paths if is_cut(tree, path)], is_sure=bool(sure))


def is_saved(members: frozenset[str]) -> bool:
    """Whether torch.save wrote an archive: all is in one folder, with a pickle and the version of the archive."""
    roots = {name.partition("/")[0] for name in members}
    return len(roots) == 1 and {f"{root}/{name}" for root in roots for name in (PICKLE, "version")} <= members


def is_cut(tree: Tree, path: str) -> bool:
    """Whether it has the name of weights, and lost its end: there is no list of its members any more."""
    begins = path.endswith(SUFFIXES) and tree.read(path).startswith((b"PK\x03\x04", b"\x80\x02"))
    return begins and not tree.members(path)
