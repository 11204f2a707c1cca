"""What torch.save writes, read without PyTorch and without calling anything: where each tensor's numbers lie.

Since PyTorch 1.6 it is a zip archive of a pickle and of storages, before that five pickles with storages behind them.
The pickle is read as data (`modelport.asking.pytorch.pickles`); a tensor is a storage with offset, shape and strides, whose
bounds are checked against the file. All else in a checkpoint (an optimizer, a loss, a configuration) stays a name.
"""

import re
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from modelport.api.reasons import Reason
from modelport.asking.pytorch.pickles import Name, Object, read_pickle
from modelport.errors import ModelportError, describe_error
from modelport.storage.archives import DAMAGED, open_zip

MAX_PICKLE_BYTES = 256 << 20
MAX_AXES = 64
_LEGACY_HEAD = b"\x80\x02"
_LITTLE = b"little"
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "UntypedStorage": "uint8",
}
_BITS = {"bool": 8, "complex32": 32, "complex64": 64, "complex128": 128}
_PLAIN = ("_rebuild_tensor", "_rebuild_tensor_v2")
_WITH_DTYPE = "_rebuild_tensor_v3"
_PARAMETERS = ("_rebuild_parameter", "_rebuild_parameter_with_state")
_SUBCLASS = Name("torch._tensor", "_rebuild_from_type_v2")


class Storage(NamedTuple):
    """A run of elements that tensors are views of."""

    key: str
    dtype: str
    length: int
    """In elements."""


class StoredTensor(NamedTuple):
    """A tensor: `span` elements from byte `start` of the file on, seen through shape and strides."""

    dtype: str
    start: int
    span: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Checkpoint(NamedTuple):
    """The content of a file, and where the storages of its tensors lie."""

    content: object
    storages: dict[str, tuple[int, int]]
    """First byte and size in bytes, by key."""

    def find_tensor(self, value: object) -> StoredTensor | None:
        """Return the tensor that `value` stands for, if it is one. Raises ValueError if it leaves its storage."""
        if not isinstance(value, Object):
            return None
        maker, arguments = value.made_by, value.arguments
        if maker == _SUBCLASS and len(arguments) > 2:  # noqa: PLR2004  # function, class, its arguments
            return self.find_tensor(Object(arguments[0], arguments[2]))
        if not isinstance(maker, Name) or maker.module != "torch._utils" or not arguments:
            return None
        if maker.name in _PARAMETERS:
            return self.find_tensor(arguments[0])
        if maker.name not in (*_PLAIN, _WITH_DTYPE) or len(arguments) < 4:  # noqa: PLR2004  # storage … strides
            return None
        storage, offset, shape, strides = arguments[:4]
        if not isinstance(storage, Storage):
            raise ValueError("a tensor without a storage")  # noqa: TRY004  # a damaged file, as all here
        rest = arguments[4:]  # whether it requires gradients, hooks, then a type where the storage has none, and facts
        dtype = rest[2] if maker.name == _WITH_DTYPE and len(rest) > 2 else None  # noqa: PLR2004
        facts = rest[3 if maker.name == _WITH_DTYPE else 2 :]
        if any(isinstance(each, dict) and any(each.values()) for each in facts):
            raise ValueError("a view that is negated or conjugated when it is read; save its clone()")
        return self._view(storage, dtype.name if isinstance(dtype, Name) else storage.dtype, offset, shape, strides)

    def _view(self, storage: Storage, dtype: str, offset: int, shape: object, strides: object) -> StoredTensor:
        (offset,) = _lengths((offset,))
        lengths, steps = _lengths(shape), _lengths(strides)
        if len(lengths) != len(steps):
            raise ValueError(f"a tensor of {len(lengths)} axes with {len(steps)} strides")
        start, size = self.storages.get(storage.key, (0, -1))
        if size < 0:
            raise ValueError(f"no storage {storage.key!s:.40}")
        span = 0 if 0 in lengths else 1 + sum((n - 1) * step for n, step in zip(lengths, steps, strict=True))
        width = size_of(dtype)
        if (offset + span) * width > size:
            raise ValueError(f"a tensor of {span} elements at {offset} in a storage of {size} bytes")
        return StoredTensor(dtype, start + offset * width, span, lengths, steps)

    def walk(self) -> Iterator[object]:
        """Return the values in the content's dicts, lists and tuples."""
        waiting, seen = [self.content], set()
        while waiting:
            value = waiting.pop()
            yield value
            if isinstance(value, (dict, list, tuple)) and not isinstance(value, Name) and id(value) not in seen:
                seen.add(id(value))
                waiting.extend(value.values() if isinstance(value, dict) else value)


def read_checkpoint(path: Path) -> Checkpoint:
    """Return what the file holds. Raises ModelportError (SourceCorrupt)."""
    try:
        with path.open("rb") as file:
            if file.read(2) == _LEGACY_HEAD:
                file.seek(0)
                return _read_legacy(file, path.stat().st_size)
            return _read_zip(path.name, file)
    except DAMAGED as error:
        message = f"{path.name}: expected a whole file as torch.save writes it, found: {describe_error(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error


def describe(value: object) -> str:
    """Return what a value is: the class or function that would make it, or its type."""
    made_by = value.made_by if isinstance(value, Object) else value
    return str(made_by)[:200] if isinstance(made_by, Name) else type(value).__name__


def size_of(dtype: str) -> int:
    """Return the size of an element in bytes. Raises ValueError for what is no type of PyTorch's."""
    found = re.fullmatch(r"b?float(\d+)(_\w+)?|u?int(\d+)", dtype)
    bits = _BITS.get(dtype) or (int(found[1] or found[3]) if found else 0)
    if bits not in {8, 16, 32, 64, 128}:
        raise ValueError(f"elements of {dtype:.40}")
    return bits // 8


def _read_zip(name: str, file: IO[bytes]) -> Checkpoint:
    with open_zip(name, file) as archive:
        members = {member.filename: member for member in archive.infolist()}
        pickles = [name for name in members if name.endswith("/data.pkl") or name == "data.pkl"]
        if len(pickles) != 1:
            raise ValueError(f"a zip with {len(pickles)} data.pkl")
        folder = pickles[0].removesuffix("data.pkl")
        _, size = _extent(file, members[pickles[0]])
        if size > MAX_PICKLE_BYTES:
            raise ValueError(f"a pickle of {size} bytes; at most {MAX_PICKLE_BYTES} are read")
        if f"{folder}byteorder" in members:
            with archive.open(f"{folder}byteorder") as order:
                if order.read(len(_LITTLE) + 1) != _LITTLE:
                    raise ValueError("numbers whose last byte is the least; save it on a little-endian machine")
        with archive.open(pickles[0]) as pickle:
            content = read_pickle(pickle, _storage)
    prefix = f"{folder}data/"
    storages = {
        name.removeprefix(prefix): _extent(file, member) for name, member in members.items() if name.startswith(prefix)
    }
    return Checkpoint(content, storages)


def _extent(file: IO[bytes], member: zipfile.ZipInfo) -> tuple[int, int]:
    if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
        raise ValueError(f"{member.filename:.100} is compressed, which torch.save never does")
    if member.header_offset < 0:
        raise ValueError(f"{member.filename:.100} begins before the file")
    file.seek(member.header_offset)
    signature, name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    start = member.header_offset + _LOCAL_HEADER.size + name_length + extra_length
    if signature != b"PK\x03\x04" or start + member.file_size > file.seek(0, 2):
        raise ValueError(f"{member.filename:.100} is cut off")
    return start, member.file_size


def _read_legacy(file: IO[bytes], size: int) -> Checkpoint:
    found: dict[str, Storage] = {}

    def refer(identity: object) -> Storage | Name:
        storage = _storage(identity)
        return found.setdefault(storage.key, storage) if isinstance(storage, Storage) else storage

    for _ in range(3):  # magic number, version, machine
        read_pickle(file, _storage)
    content = read_pickle(file, refer)
    keys = read_pickle(file, _storage)
    storages = {}
    for key in keys if isinstance(keys, list) else ():
        length = int.from_bytes(file.read(8), "little")
        storage = found[key]
        if length != storage.length:
            raise ValueError(f"storage {key!s:.40} of {length} elements, expected {storage.length}")
        storages[storage.key] = (file.tell(), length * size_of(storage.dtype))
        if file.seek(length * size_of(storage.dtype), 1) > size:
            raise ValueError(f"storage {key!s:.40} is cut off")
    return Checkpoint(content, storages)


def _storage(identity: object) -> Storage | Name:
    """Return what a persistent id says: ("storage", class, key, device, length), and None in old files.

    These have ("module", class, file, code), too, for the class of a module that was saved whole.
    """
    match identity:
        case ("storage", Name(name=kind), str(key), _, int(length), *more) if kind in _STORAGES and more in (
            [],
            [None],
        ):
            return Storage(key, _STORAGES[kind], length)
        case ("module", Name() as made, *_):
            return made
    raise ValueError("a storage of an unknown kind")


def _lengths(values: object) -> tuple[int, ...]:
    if not isinstance(values, tuple) or len(values) > MAX_AXES or not all(type(n) is int and n >= 0 for n in values):
        raise ValueError("lengths that are no whole numbers")
    return values
