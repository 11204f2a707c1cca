"""Levels of x86-64: which instructions compiled code may use (System V ABI, AMD64 supplement, 3.1.1)."""

from collections.abc import Mapping
from typing import Literal, get_args

CpuLevel = Literal["x86-64-v2", "x86-64-v3", "x86-64-v4"]
"""v2 has SSE4.2, v3 AVX2 and FMA, v4 AVX-512 F, BW, CD, DQ and VL."""
OPTION = "cpu"
"""What a converter's option is called that takes one."""


def level_of(options: Mapping[str, object]) -> CpuLevel | None:
    """Return the level that a target's options ask for, if they ask for one."""
    return next((level for level in get_args(CpuLevel) if level == options.get(OPTION)), None)
