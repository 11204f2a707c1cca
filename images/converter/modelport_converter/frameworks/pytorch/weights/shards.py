"""Safetensors, and the index of files that one model's weights are spread over; read where there is no PyTorch, too."""

import re
from collections import defaultdict
from collections.abc import Iterable
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
        check_shard(path, shard, names, _list_names(shard))
    return shards


def check_shard(path: Path, shard: Path, names: Iterable[str], stored: Iterable[str]) -> None:
    """Refuse a file that has other tensors than the index at `path` says. Raises ModelportError (SourceCorrupt)."""
    other = set(names) ^ set(stored)
    if other:
        raise _corrupt(path, f"{path.name} and {shard.name} disagree about {', '.join(sorted(other))}")


def read_index(path: Path) -> dict[Path, list[str]]:
    """Return the names of the tensors by file, as an index says; the files are beside it. Raises the same.

    A file of the same series that the index does not name has weights that nobody would read.
    """
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
    stem, _, suffix = path.name.removesuffix(INDEX).rpartition(".")
    series = re.compile(rf"{re.escape(stem)}-\d+-of-\d+\.{re.escape(suffix)}")
    unnamed = sorted(name for name, each in beside.items() if series.fullmatch(name) and each not in shards)
    if unnamed:
        raise _corrupt(path, f"{', '.join(unnamed)}, which the index does not name")
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
