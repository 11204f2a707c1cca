"""Inputs of floats that hide in PyTorch models: seen by what is done with them."""

from pathlib import Path

import pytest

from converters.verdicts import printed_by

pytestmark = pytest.mark.converters
HERE = Path(__file__).parent
HIDES, HIDES_AND_COUNTS, ADDED = [True, False, False], [True, False, True], [False, True, False]
EXPECTED = {
    "taken from 1, made large": HIDES,
    "taken from 1, a condition": HIDES,
    "compared with 0": HIDES,
    "made large": HIDES,
    "a condition and a factor": HIDES_AND_COUNTS,
    "added": ADDED,
    "added to each head": ADDED,
    "added in place": ADDED,
    "added by an operator": ADDED,
    "added by a module": ADDED,
    "a temperature": None,
    "a factor": None,
    "a residual": None,
    "a gate": None,
    "a unit": None,
    "a sum of inputs": None,
}


def test_masks_are_told_from_numbers():
    found = printed_by(HERE / "torch_masks.py")
    assert found == {name: {} if hint is None else {"m": hint} for name, hint in EXPECTED.items()}


def test_what_is_watched_is_not_kept_alive():
    """Layers of attention take the memory of one, watched or not."""
    found = printed_by(HERE / "torch_memory.py")
    assert found["masks"] == ["m"]
    assert 2 * found["scores"] <= found["unwatched"] <= 6 * found["scores"]
    assert found["watched"] <= 1.1 * found["unwatched"]
