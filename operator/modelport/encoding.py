"""What is sent and stored as JSON: its base, its one canonical form, and the digests and keys that follow from it."""

import hashlib
from typing import TypeVar

import msgspec


class Message(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Base of what is sent: immutable, unknown fields are passed over."""


Value = TypeVar("Value")


def canonical(value: object) -> bytes:
    """Return the one JSON form of `value` (sorted keys) that keys and digests are computed from."""
    return msgspec.json.encode(value, order="sorted")


def digest_of(data: bytes) -> str:
    """Return the digest of `data` as it is written everywhere: sha256:<hex>."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def key_of(value: object) -> str:
    """Return the key (32 hex digits) of a value: equal values, equal keys."""
    return hashlib.sha256(canonical(value)).hexdigest()[:32]


def decode(content: bytes | str, kind: type[Value]) -> Value:
    """Return the value of a type in JSON that may be hostile. Raises msgspec.DecodeError, whatever is wrong with it."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (RecursionError, UnicodeError) as error:  # nested deeper than anything of ours; no text
        raise msgspec.DecodeError(str(error)) from error
