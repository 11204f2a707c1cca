"""Files changed by chance: bytes cut, flipped, spliced and grown, whatever they mean."""

from collections.abc import Callable
from random import Random

EXTREMES = (b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\xff" * 4, b"\xff" * 8, b"\xff" * 9 + b"\x01")
"""Numbers that lengths, offsets and counts are seldom: zero, the largest of 32 and 64 bits, either way round."""
Mutation = Callable[[Random, bytes], bytes]


def cut(random: Random, content: bytes) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def cut_head(random: Random, content: bytes) -> bytes:
    return content[random.randrange(min(64, len(content)) + 1) :]


def flip(random: Random, content: bytes) -> bytes:
    """Flip up to eight bits, half of the time where headers are."""
    changed = bytearray(content)
    for _ in range(random.randint(1, 8)):
        at = _anywhere(random, len(changed))
        if changed:
            changed[at] ^= 1 << random.randrange(8)
    return bytes(changed)


def splice(random: Random, content: bytes) -> bytes:
    """Copy a piece over another place, or put it between."""
    start = _anywhere(random, len(content))
    piece = content[start : start + random.randint(1, 256)]
    at = _anywhere(random, len(content))
    return content[:at] + piece + content[at + random.choice((0, len(piece))) :]


def drop(random: Random, content: bytes) -> bytes:
    at = _anywhere(random, len(content))
    return content[:at] + content[at + random.randint(1, 256) :]


def extreme(random: Random, content: bytes) -> bytes:
    at, number = _anywhere(random, len(content)), random.choice(EXTREMES)
    return content[:at] + number + content[at + len(number) :]


def noise(random: Random, content: bytes) -> bytes:
    at = _anywhere(random, len(content))
    length = random.randint(1, 64)
    return content[:at] + random.randbytes(length) + content[at + length :]


def grow(random: Random, content: bytes) -> bytes:
    return content + random.choice((bytes(4096), content, random.randbytes(100)))


def other(random: Random, content: bytes) -> bytes:
    """Give something else altogether."""
    return random.choice((b"", b"\0", b"<html>404</html>", random.randbytes(200), content[:8], content[:4] * 100))


BYTES: tuple[Mutation, ...] = (cut, cut_head, flip, flip, splice, drop, extreme, extreme, noise, grow, other)


def _anywhere(random: Random, length: int) -> int:
    """Return a place: in the first bytes, in the last ones, or somewhere."""
    if not length:
        return 0
    place = random.random()
    if place < 0.4:
        return random.randrange(min(length, 512))
    return length - 1 - random.randrange(min(length, 512)) if place < 0.5 else random.randrange(length)
