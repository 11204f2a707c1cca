"""Files changed where it means something: behind checksums, within lengths, in what names and numbers say.

Each mutation takes content and returns other content, or None where the content is not of its kind.
"""

import io
import json
import pickle
import re
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from fuzz.mutating import BYTES, EXTREMES

CANARY = "owned"
"""A file that hostile content makes, were it run."""
Structured = Callable[[Random, bytes], bytes | None]
NUMBERS = (0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 1e308, 0.5)
TEXTS = ("", "../../owned", "/etc/passwd", "\0", "x" * 100_000, "Lambda", "builtins", "os", "system", "é\ud800")
DEEP = 2_000


# --- zip archives -----------------------------------------------------------------------------------------------------


def member(random: Random, content: bytes) -> bytes | None:
    """Change one member of a zip archive, by any other mutation, with the checksum that it then has."""
    members = _members(content)
    if not members:
        return None
    name = random.choice(sorted(members))
    return _zip(members | {name: mutate(random, members[name])}, random.choice((0, 0, 0, 8)))


def listing(random: Random, content: bytes) -> bytes | None:
    """Change the list of members: lost, added, renamed to lead out, twice, packed ten thousand times over."""
    members = _members(content)
    if not members:
        return None
    name = random.choice(sorted(members))
    kind = random.randrange(6)
    if kind == 0:
        members.pop(name)
    elif kind == 1:
        members[random.choice(("../../owned", "/owned", "a/../../owned", "C:\\owned", f"{name}/x"))] = b"x"
    elif kind == 2:
        members[random.choice(sorted(members))] = members.pop(name)
    elif kind == 3:
        return _zip(members | {name: bytes(300 << 20 if random.random() < 0.05 else 30 << 20)}, zipfile.ZIP_DEFLATED)
    elif kind == 4:
        return _zip(members, 0, twice=name)
    else:
        members |= {f"{name}-{number}": b"" for number in range(12_000)}
    return _zip(members, 0)


def _members(content: bytes) -> dict[str, bytes]:
    if not content.startswith(b"PK"):
        return {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {each.filename: archive.read(each) for each in archive.infolist()}
    except (zipfile.BadZipFile, OSError):
        return {}


def _zip(members: dict[str, bytes], kind: int, twice: str = "") -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", kind) as archive:
        warnings.simplefilter("ignore")
        for name in [*members, *([twice] if twice else [])]:
            archive.writestr(name, members[name])
    return file.getvalue()


# --- JSON -------------------------------------------------------------------------------------------------------------


def tree(random: Random, content: bytes) -> bytes | None:
    """Change a value somewhere in JSON, also in the JSON at the beginning of safetensors."""
    start = 8 if content[8:9] == b"{" else 0
    end = start + int.from_bytes(content[:8], "little") if start else len(content)
    if content[start : start + 1] not in (b"{", b"["):
        return None
    try:
        value = json.loads(content[start:end])
    except ValueError:
        return None
    for _ in range(random.randint(1, 3)):
        value = _changed(random, value)
    changed = json.dumps(value).encode()
    if random.random() < 0.02:
        changed = b'{"a":' * DEEP + changed + b"}" * DEEP
    return len(changed).to_bytes(8, "little") + changed + content[end:] if start else changed


def _changed(random: Random, value: Any) -> Any:
    if isinstance(value, (dict, list)) and value and random.random() < 0.9:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = random.choice(keys)
        copy = value.copy()
        if random.random() < 0.1:
            del copy[key]
        else:
            copy[key] = _changed(random, value[key])
        return copy
    if isinstance(value, bool) or value is None:
        return random.choice((not value, None, 1, "true", [], {}))
    if isinstance(value, (int, float)):
        return random.choice((*NUMBERS, value + 1, -value, [value], str(value)))
    return random.choice((*TEXTS, None, 1, [value], {"a": value}, [], {}))


# --- pickles ----------------------------------------------------------------------------------------------------------


class _Call:
    """Pickles as a call."""

    def __init__(self, function: str, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> Any:
        module, _, name = self.function.rpartition(".")
        return getattr(__import__(module, fromlist=["x"]), name), self.arguments


HOSTILE = (
    ("os.system", f"touch {CANARY}"),
    ("os.mkdir", CANARY),
    ("builtins.exec", f"open({CANARY!r}, 'w')"),
    ("builtins.eval", f"open({CANARY!r}, 'w')"),
    ("subprocess.getoutput", f"touch {CANARY}"),
    ("pathlib.Path", CANARY),
    ("builtins.open", CANARY, "w"),
    ("shutil.rmtree", "nothing"),
)


def hostile(random: Random, content: bytes) -> bytes | None:
    """Put a call into a pickle: alone, before all else, or as the value of a key."""
    if not content.startswith(b"\x80"):
        return None
    call = pickle.dumps(_Call(*random.choice(HOSTILE)), protocol=random.choice((0, 1, 2, 4)))
    kind = random.randrange(4)
    if kind == 0:
        return call
    if kind == 1:
        return call[:-1] + b"0" + content.removeprefix(content[:2])
    if kind == 2:
        return pickle.dumps({"state_dict": {"w": _Call(*random.choice(HOSTILE))}}, protocol=2)
    places = [each.start() for each in re.finditer(rb"[}\]u]", content)]
    at = random.choice(places) if places else 0
    return content[: at + 1] + call[2:-1] + content[at + 1 :]


def endless(random: Random, content: bytes) -> bytes | None:
    """Give a pickle that is deep, doubles itself, or says of itself that it is large."""
    if not content.startswith(b"\x80"):
        return None
    doubling = b"\x80\x02]q\x00" + b"(h\x00h\x00tq\x00" * 40 + b"."
    return random.choice(
        (
            b"\x80\x02" + b"(" * 50_000 + b".",
            doubling,
            b"\x80\x02X\xff\xff\xff\x7fa.",
            b"\x80\x02" + b"]" * 99_999 + b".",
        )
    )


# --- protocol buffers -------------------------------------------------------------------------------------------------


def message(random: Random, content: bytes) -> bytes | None:
    """Change one field of a message, however deep, with the lengths around it as they then are."""
    fields = _fields(content)
    if not fields or (len(fields) == 1 and fields[0][1] != 2):
        return None
    return _changed_message(random, content, fields, 0)


def _changed_message(random: Random, content: bytes, fields: list[tuple[int, int, int, int, int]], depth: int) -> bytes:
    index = random.randrange(len(fields))
    number, kind, start, body, end = fields[index]
    inner = content[body:end]
    below = _fields(inner) if kind == 2 and depth < 12 else []
    choice = random.random()
    if below and choice < 0.85:
        changed = _field(number, _changed_message(random, inner, below, depth + 1))
    elif choice < 0.1:
        changed = b""
    elif choice < 0.2:
        changed = content[start:end] * random.randint(2, 50)
    elif kind == 0:
        changed = _varint(number << 3) + _varint(
            random.choice((0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1, random.randrange(64)))
        )
    elif kind == 2:
        changed = _field(
            number, random.choice((b"", b"../../owned", b"/etc/passwd", random.choice(BYTES)(random, inner)))
        )
    else:
        changed = content[start:body] + random.choice(EXTREMES)[:1] * (end - body)
    return content[:start] + changed + content[end:]


def _fields(content: bytes) -> list[tuple[int, int, int, int, int]]:
    """Return number, kind, start, start of the value and end of all fields; none where it is no message."""
    found, at = [], 0
    while at < len(content):
        start = at
        tag, at = _read(content, at)
        number, kind = tag >> 3, tag & 7
        if not number or kind not in (0, 1, 2, 5) or not at:
            return []
        body = at
        if kind == 0:
            _, at = _read(content, at)
        elif kind == 2:
            length, body = _read(content, at)
            at = body + length
        else:
            at += 8 if kind == 1 else 4
        if not body or not at or at > len(content):
            return []
        found.append((number, kind, start, body, at))
    return found


def _read(content: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(content[at : at + 10]):
        value |= (byte & 127) << (7 * shift)
        if byte < 128:
            return value, at + shift + 1
    return 0, 0


def _varint(value: int) -> bytes:
    digits = []
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes([*digits, value])


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


# --- protocol buffers as text ------------------------------------------------------------------------------------------


def words(random: Random, content: bytes) -> bytes | None:
    """Change up to three words of a message as text: a number, a name for another one's, a block twice or as deep as none is."""
    if b"\0" in content or not re.search(rb"\blayers?\s*\{", content):
        return None
    text = content.decode(errors="replace")
    for _ in range(random.randint(1, 3)):
        found = list(re.finditer(r'-?\d[\d.e+-]*|"[^"]*"|\w+', text))
        if not found:
            break
        one, other = random.choice(found), random.choice(found)
        kind = random.random()
        if kind < 0.04:
            new = f"{one[0]} {{ a {{ " * random.choice((1, DEEP))
        elif kind < 0.08:
            new = text[one.start() : other.end()] * 2 if one.start() < other.start() else ""
        elif one[0][0] in "-0123456789":
            new = str(random.choice((*NUMBERS, 2, 3, 7, 100_000, 65_536, -2, "nan", "inf", "true")))
        else:
            new = other[0] if random.random() < 0.8 else f'"{random.choice(TEXTS[:5])}"'
        text = text[: one.start()] + new + text[one.end() :]
    return text.encode(errors="replace")


# --- Paddle's weights ---------------------------------------------------------------------------------------------------

HEAD, NEXT = 16, 20
"""Where the size of a description is, and where it begins."""


def framing(random: Random, content: bytes) -> bytes | None:
    """Change the frame of a tensor as Paddle stores it: levels, size or content of its description, or the tensors' order."""
    if content[:HEAD] != bytes(HEAD) or len(content) < NEXT:
        return None
    size = int.from_bytes(content[HEAD:NEXT], "little")
    described, rest = content[NEXT : NEXT + size], content[NEXT + size :]
    kind = random.randrange(5)
    if kind == 0:
        levels = random.choice((1, 3, 65, 2**31, 2**63)).to_bytes(8, "little")
        lengths = random.choice((b"", bytes(8), (2**62).to_bytes(8, "little"), (16).to_bytes(8, "little") + bytes(16)))
        return content[:4] + levels + lengths + content[12:]
    if kind == 1:
        return content[:HEAD] + random.choice((0, -1, 1, 2**31 - 1, size + 3)).to_bytes(4, "little", signed=True) + rest
    if kind == 2:
        return rest + content[: NEXT + size]
    if kind == 3:
        described = b"\x08" + bytes([random.choice((0, 3, 4, 6, 19, 22, 99))]) + described[2:]
    else:
        described += b"\x10" + random.choice(EXTREMES) + b"\x01"
    return content[:HEAD] + len(described).to_bytes(4, "little") + described + rest


# --- arrays of ND4J ---------------------------------------------------------------------------------------------------

BUFFER = re.compile(rb"\0.(?:MIXED_DATA_TYPES|LONG_SHAPE|DIRECT|HEAP|JAVACPP)", re.DOTALL)
"""How the buffers of an array begin: of its shape, and of its values."""


def buffer(random: Random, content: bytes) -> bytes | None:
    """Change what an array says of itself: how it was allocated, its length, its type, a number of its shape."""
    heads = list(BUFFER.finditer(content))
    if not heads or heads[0].start():
        return None
    head = random.choice(heads)
    wide = 8 if head[0].endswith((b"TYPES", b"SHAPE")) else 4
    kind = head.end() + wide
    end = kind + 2 + int.from_bytes(content[kind : kind + 2], "big")
    if random.random() < 0.2:
        return content[: head.start()] + _word(random, (b"DIRECT", b"MIXED_DATA_TYPES", b"x")) + content[head.end() :]
    if random.random() < 0.3:
        return content[:kind] + _word(random, (b"HALF", b"DOUBLE", b"INT", b"LONG", b"UTF8", b"")) + content[end:]
    at, length = random.choice(((head.end(), wide), (end, 8), (end + 8, 8), (end + 16, 8)))
    number = random.choice((0, 1, 2, -1, 33, 2**31 - 1, 2**31, 2**62, -(2**62)))
    number = number % 256**length
    return content[:at] + number.to_bytes(length, "big") + content[at + length :]


def _word(random: Random, words: tuple[bytes, ...]) -> bytes:
    word = random.choice(words)
    return random.choice((len(word), len(word), len(word), 0xFFFF)).to_bytes(2, "big") + word


# --- flatbuffers ------------------------------------------------------------------------------------------------------


def offset(random: Random, content: bytes) -> bytes | None:
    """Change words of a flatbuffer: offsets, lengths and tables are words of two or four bytes."""
    if content[4:8] != b"TFL3":
        return None
    changed = bytearray(content)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(0, min(len(changed), random.choice((64, 4096, 1 << 30))) - 4, random.choice((2, 4)))
        word = int.from_bytes(changed[at : at + 4], "little")
        new = random.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, word + 4, word - 4, word * 2, random.getrandbits(32)))
        changed[at : at + 4] = (new & 0xFFFFFFFF).to_bytes(4, "little")
    return bytes(changed)


# --- HDF5 -------------------------------------------------------------------------------------------------------------


def group(random: Random, content: bytes) -> bytes | None:
    """Change what an HDF5 file says: an attribute, a dataset, a link that leads out or in a circle."""
    if not content.startswith(b"\x89HDF"):
        return None
    import h5py
    import numpy as np

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "file.h5"
        path.write_bytes(content)
        try:
            with h5py.File(path, "r+") as file:
                names: list[str] = []
                file.visit(names.append)
                place = file[random.choice([*names, "/"])]
                kind = random.randrange(7)
                if kind <= 2 and list(file.attrs):
                    name = random.choice(list(file.attrs))
                    text = file.attrs[name]
                    raw = text.encode() if isinstance(text, str) else text if isinstance(text, bytes) else b"{}"
                    file.attrs[name] = np.bytes_(tree(random, raw) or random.choice(BYTES)(random, raw) or b"x")
                elif kind == 3:
                    file.move(place.name, f"/moved{random.random()}") if place.name != "/" else file.clear()
                elif kind == 4 and isinstance(place, h5py.Dataset):
                    owner, name = place.parent, place.name
                    del file[name]
                    shape = random.choice(((), (0,), (1,), (1 << 40,), (3, 3, 3, 3, 3), place_shape(random)))
                    owner.create_dataset(
                        name, shape, random.choice(("f4", "f2", "i8", "c8", "S9")), chunks=len(shape) > 0 or None
                    )
                elif kind == 5:
                    target = random.choice(
                        (h5py.SoftLink("/"), h5py.ExternalLink("/etc/passwd", "/"), h5py.ExternalLink("file.h5", "/"))
                    )
                    file[f"/link{random.random()}" if place.name == "/" else f"{place.parent.name}/link"] = target
                else:
                    file.create_dataset("/external", (4,), "f4", external=[("/etc/passwd", 0, 16)])
        except (OSError, ValueError, RuntimeError, KeyError, TypeError):
            return None  # HDF5 itself does not write it
        return path.read_bytes()


def place_shape(random: Random) -> tuple[int, ...]:
    return tuple(random.randrange(5) for _ in range(random.randrange(5)))


STRUCTURED: tuple[Structured, ...] = (
    member,
    member,
    member,
    listing,
    tree,
    tree,
    hostile,
    endless,
    message,
    message,
    words,
    words,
    framing,
    framing,
    offset,
    group,
    buffer,
)


def mutate(random: Random, content: bytes) -> bytes:
    """Return content changed in one way: three times of four by what it means, where it has a meaning."""
    if random.random() < 0.75:
        for change in random.choices(STRUCTURED, k=24):
            changed = change(random, content)
            if changed is not None:
                return changed
    for change in random.choices(BYTES, k=random.choice((1, 1, 1, 2, 3))):
        content = change(random, content)
    return content
