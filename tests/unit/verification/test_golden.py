"""Golden samples: the smallest questions, and what another node may answer."""

import numpy as np
import pytest

from modelport.contract import ModelportError
from modelport.reasons import Reason
from modelport.verification.golden import Golden, check_golden, choose_golden, read_golden, write_golden


def equal(one, other) -> bool:
    return list(one) == list(other) and all(
        one[name].dtype == other[name].dtype and np.array_equal(one[name], other[name]) for name in one
    )


def test_equal_contents_make_equal_bytes(tmp_path):
    for name in ("a", "b"):
        write_golden(tmp_path / name, [Golden({"x": np.ones(3)}, {"y": np.ones(2)}, {"y": 1e-4})])
    assert (tmp_path / "a/0.npz").read_bytes() == (tmp_path / "b/0.npz").read_bytes()


def test_golden_samples_are_the_smallest_and_come_back(tmp_path):
    asked = [{"x": np.full(length, length)} for length in (4, 1, 3, 2)]
    golden = choose_golden([(each, {"y": each["x"] * 2}) for each in asked], {"y": 2e-4})
    assert [each.inputs["x"].size for each in golden] == [1, 2]
    assert golden[0].tolerances == {"y": pytest.approx(2e-4)}
    write_golden(tmp_path, golden)
    read = read_golden(tmp_path)
    assert all(equal(one.outputs, other.outputs) for one, other in zip(golden, read, strict=True))
    check_golden(read, lambda inputs: {"y": inputs["x"] * 2})


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: {"y": x * 2.01},
        lambda x: {"y": x * np.nan},
        lambda x: {"z": x * 2.0},
        lambda x: {"y": (x * 2.0).astype(np.float16)},
        lambda x: {"y": (x * 2.0)[None]},
    ],
)
def test_another_answer_is_a_golden_mismatch(wrong):
    golden = [Golden({"x": np.arange(4.0)}, {"y": np.arange(4.0) * 2}, {"y": 1e-4})]
    with pytest.raises(ModelportError) as caught:
        check_golden(golden, lambda inputs: wrong(inputs["x"]))
    assert caught.value.reason == Reason.GOLDEN_MISMATCH


def test_an_artifact_without_golden_samples_is_refused(tmp_path):
    with pytest.raises(ModelportError, match="found none"):
        read_golden(tmp_path)
