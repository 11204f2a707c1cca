"""Safetensors, and the index of files that one model's weights are spread over; read where there is no PyTorch, too."""

from collections import defaultdict
from pathlib import Path

import msgspec
from safetensors import SafetensorError, safe_open

from modelport.api.reasons import Reason
from modelport.errors import ModelportError

INDEX = ".index.json"


SAFETENSORS = ".safetensors"


class _Index(msgspec.Struct):
    weight_map: dict[str, str]


def is_safetensors(path: Path) -> bool:
    """Whether a file holds safetensors, or names files that do."""
    return path.name.removesuffix(INDEX).endswith(SAFETENSORS)


def find_shards(path: Path) -> dict[Path, list[str]]:
    """Return the names of the tensors by file: of the one file, or of those that an index names.

    Raises ModelportError (SourceCorrupt), also where the index has other tensors than its files.
    """
    if not path.name.endswith(INDEX):
        return {path: _list_names(path)}
    shards = read_index(path)
    for shard, names in shards.items():
        stored = _list_names(shard)
        other = set(names) ^ set(stored)
        if other:
            found = f"{path.name} and {shard.name} disagree about {', '.join(sorted(other))}"
            raise _corrupt(path, found)
    return shards


def read_index(path: Path) -> dict[Path, list[str]]:
    """Return the names of the tensors by file, as an index says; the files are beside it. Raises the same."""
    try:
        index = msgspec.json.decode(path.read_bytes(), type=_Index)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _corrupt(path, str(error)) from error
    beside = {each.name: each for each in path.parent.iterdir() if each.is_file() and not each.is_symlink()}
    shards: dict[Path, list[str]] = defaultdict(list)
    for name, file in index.weight_map.items():
        if file not in beside:
            raise _corrupt(path, f"{name} in {file}, which is not there")
        shards[beside[file]].append(name)
    return dict(shards)


def _list_names(path: Path) -> list[str]:
    try:
        with safe_open(path, framework="numpy") as opened:
            return list(opened.keys())
    except (SafetensorError, OSError) as error:
        raise _corrupt(path, str(error)) from error


def _corrupt(path: Path, found: str) -> ModelportError:
    message = f"{path.name}: expected whole weights, found: {found:.300}"
    return ModelportError(Reason.SOURCE_CORRUPT, message)
