"""Scripts that Python runs node by node answer as PyTorch's runtime does, also for lengths that were not the example's."""

import re
from pathlib import Path

import pytest

from converters.verdicts import printed_by

pytestmark = pytest.mark.converters
FOLLOWED = [
    *("attention", "masked", "resize", "numbers", "typed", "lists", "kept"),
    *("memory", "tied", "beside", "steps", "traced"),
]
REFUSED = {
    "free steps": "UserError: Constraints violated (L['inputs'][0].size()[1])",
    "looks": "NotImplementedError: aten::Bool depends on values at torch_scripts.py: if bool(x.sum() > 0):",
    "roots": "NotImplementedError: aten::sqrt of a free length",
}
"""A loop over a free length, a decision by values, a root of a free length: a trace of the script keeps them."""


def test_a_script_is_followed_node_by_node():
    found = printed_by(Path(__file__).with_name("torch_scripts.py"))
    refused = {name: found.pop(name) for name in REFUSED}
    assert found.pop("decides") == ["right", "right", "if not x.size(1) > 3:"]
    assert found == {name: ["right", "right"] for name in FOLLOWED}
    for name, (ran, refusal) in refused.items():
        assert (name, ran, re.sub(r"(?<=py):\d+|! .*", "", refusal, flags=re.DOTALL)) == (name, "right", REFUSED[name])
