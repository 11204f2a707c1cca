"""In which units errors of floating-point numbers are judged."""

from typing import Any, NamedTuple

import numpy as np

from modelport.api.base import Dtype


class Precision(NamedTuple):
    """Limits of relative RMS errors that follow from a floating-point type."""

    unit: float
    """Largest relative rounding error: half the distance from 1 to the next number."""
    base: float
    """What arithmetic of another order explains where the source shows less noise."""
    cap: float
    """What no noise excuses."""
    floors: float
    """How many times its own noise the source may be missed by: other kernels round in other places."""


SINGLE = Precision(unit=2.0**-24, base=5e-6, cap=1e-4, floors=20.0)
"""Of float64 too. Float16 weights give at least 3e-4, which is above the cap."""
_HALVES = {
    "float16": Precision(unit=2.0**-11, base=5 * 2.0**-10, cap=42 * 2.0**-10, floors=5.0),
    "bfloat16": Precision(unit=2.0**-8, base=5 * 2.0**-7, cap=0.1, floors=5.0),
}
"""Here rounding is nearly all of the noise, and the source shows it: fewer floors do."""


def is_float(dtype: np.dtype[Any]) -> bool:
    """Return whether elements are numbers with a size, and not labels. numpy has no kind for bfloat16."""
    return dtype.kind == "f" or str(dtype) == "bfloat16"


def coarser_of(one: Dtype, other: Dtype) -> Dtype:
    """Return the type of the two that rounds more."""
    return max(one, other, key=lambda each: _HALVES.get(each, SINGLE).unit)


def precision_of(dtype: np.dtype[Any], source: Dtype) -> Precision:
    """Return the coarser of an output's type and of what the source computes with."""
    choices = [_HALVES.get(str(dtype), SINGLE), _HALVES.get(source, SINGLE)]
    return max(choices, key=lambda each: each.unit)
