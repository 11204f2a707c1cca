"""Safetensors files: one, or several by an index beside them that says which tensor is in which."""

from modelport.conversion.detection import Evidence, Tree, play

SUFFIX = ".safetensors"
INDEX = f"{SUFFIX}.index.json"
_LENGTH = 8
"""Bytes of the header's length, before the header itself, which is JSON."""


def detect_safetensors(tree: Tree) -> Evidence | None:
    """Look for safetensors; `weights` is the one file, or the index of several."""
    sure = [path for path in tree.paths if _is_begun(tree, path)]
    indices = [path for path in tree.paths if path.endswith(INDEX)]
    shards = {path for index in indices for path in sure if path.startswith(index.removesuffix(INDEX))}
    alone = [*indices, *(path for path in sure if path not in shards)] if sure else []
    found = alone or [path for path in tree.paths if path.endswith(SUFFIX)]
    return play("weights", found, is_sure=bool(sure))


def _is_begun(tree: Tree, path: str) -> bool:
    """Whether a file begins with the length of a header that ends within it, and the header."""
    head = tree.read(path)
    length = int.from_bytes(head[:_LENGTH], "little")
    return head[_LENGTH : _LENGTH + 1] == b"{" and _LENGTH + length <= tree.size(path)
