"""Scripts that Python runs node by node answer as PyTorch's runtime does, also for lengths that were not the example's."""

from pathlib import Path

import pytest

from converters.verdicts import printed_by

pytestmark = pytest.mark.converters
FOLLOWED = ["attention", "resize", "numbers", "kept", "memory", "tied", "steps"]
REFUSED = {"free steps": "UserError", "looks": "GuardOnDataDependentSymNode"}
"""A loop over a free length, and a decision by values: a trace of the script keeps both."""


def test_a_script_is_followed_node_by_node():
    found = printed_by(Path(__file__).with_name("torch_scripts.py"))
    assert found == {name: ["right", "right"] for name in FOLLOWED} | {
        name: ["right", REFUSED[name]] for name in REFUSED
    }
