"""Whether a live object already is what is wanted."""

from typing import Any


def contains(live: Any, wanted: Any) -> bool:
    """Return whether `live` has everything of `wanted`; more keys in objects, as servers and others add, are fine."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(name in live and contains(live[name], wanted[name]) for name in wanted)
    if isinstance(wanted, list):
        same_length = isinstance(live, list) and len(live) == len(wanted)
        return same_length and all(contains(*pair) for pair in zip(live, wanted, strict=True))
    return bool(live == wanted) and isinstance(live, bool) == isinstance(wanted, bool)
