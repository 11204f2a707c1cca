"""Inputs of floats that hide in PyTorch models: seen by what is done with them."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from modelport_cli.local.environments import find_recipe, prepare

pytestmark = pytest.mark.converters
ROOT = Path(__file__).parents[3]
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


def printed_by(script):
    command = [prepare(find_recipe("converter-pytorch")), "-W", "ignore", Path(__file__).with_name(script)]
    paths = os.pathsep.join(str(ROOT / part) for part in ("operator", "images/converter"))
    ended = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    return json.loads(ended.stdout)


def test_masks_are_told_from_numbers():
    found = printed_by("torch_masks.py")
    assert found == {name: {} if hint is None else {"m": hint} for name, hint in EXPECTED.items()}


def test_what_is_watched_is_not_kept_alive():
    """Layers of attention take the memory of one, watched or not."""
    found = printed_by("torch_memory.py")
    assert found["masks"] == ["m"]
    assert 2 * found["scores"] <= found["unwatched"] <= 6 * found["scores"]
    assert found["watched"] <= 1.1 * found["unwatched"]
