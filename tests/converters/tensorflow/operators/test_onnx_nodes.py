"""ONNX's own tests of its operators, all that are known; what is not computed is refused with its node."""

import re
from pathlib import Path

import pytest

from converters.verdicts import convert_all

pytestmark = [pytest.mark.converters, pytest.mark.timeout(1800)]  # the first one asks all
FEWEST = 1000
"""ONNX 1.23 has so many tests of the operators that are known."""
TYPES = "FLOAT8|FLOAT4|INT4|INT2|e8m0|e4m3|e5m2|int4|int2|float4"
REFUSED = {
    f"test_(cast|castlike|quantizelinear|dequantizelinear)_.*({TYPES})": "Types that TensorFlow does not compute with.",
    "test_training_dropout|test_batchnorm_.*training_mode": "Models that are trained.",
    "test_resize_downsample_scales_(linear|cubic)_align_corners": "ONNX Runtime counts whole elements, and so do we.",
    "test_scan_sum": "Scan of operator set 8.",
}
REFUSED_FREE = {
    "test_resize_.*(antialias|not_larger|not_smaller)": "These need known lengths.",
    "test_group_normalization": "A free number of channels.",
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nodes")
    return convert_all("converter-tensorflow", Path(__file__).with_name("run_onnx_nodes.py"), folder)


def failures(outcomes, kind, refused):
    return {
        name: each[kind]
        for name, each in outcomes.items()
        if each[kind] and not any(re.match(pattern, name) for pattern in refused)
    }


def test_operators_compute_what_onnx_says(outcomes):
    assert len(outcomes) >= FEWEST
    assert failures(outcomes, "known", REFUSED) == {}


def test_operators_compute_what_onnx_says_of_free_lengths(outcomes):
    assert failures(outcomes, "free", REFUSED | REFUSED_FREE) == {}
