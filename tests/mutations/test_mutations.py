"""Every broken conversion is refused: each kind of mistake in each net where it can be made."""

import onnx
import pytest

from modelport.reasons import Reason
from mutations.gate import BY_NAME, net_of, pass_gate
from mutations.mistakes import MISTAKES


def broken(name: str, mistake: str) -> onnx.ModelProto | None:
    model = onnx.ModelProto()
    model.CopyFrom(net_of(name).model)
    return model if MISTAKES[mistake](model) else None


CASES = [(net, mistake) for net in BY_NAME for mistake in MISTAKES if broken(net, mistake) is not None]


@pytest.mark.parametrize(("net", "mistake"), CASES)
def test_refused(net, mistake):
    candidate = broken(net, mistake)
    assert candidate is not None
    finding = pass_gate(net, candidate)
    assert finding is not None, f"{mistake} in {net} passes"
    assert finding.reason == Reason.VERIFICATION_FAILED, finding.message


def test_there_are_enough():
    assert len({mistake for _, mistake in CASES}) == len(MISTAKES) >= 20
    assert len(CASES) >= 60
