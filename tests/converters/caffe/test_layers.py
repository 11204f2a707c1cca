"""Each layer and parameter, three times: by Caffe's formulas in numpy, as ONNX, and by OpenCV where it is trusted."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from converters.caffe.asking import difference, open_case, questions
from converters.caffe.layer_cases import cases
from converters.verdicts import convert_all
from modelport_converter.frameworks.caffe.answering.numpy_net import KERNELS, run_net
from modelport_converter.frameworks.caffe.layers.net import PARSERS
from modelport_converter.frameworks.caffe.writing.model import WRITERS, write_net

CASES = cases()
NEAR = 2e-6


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name[:100])
@pytest.mark.parametrize("batch", [1, 3])
def test_onnx_answers_as_the_formulas_do(case, batch, tmp_path):
    model = open_case(case, tmp_path)
    asked = questions(case, model, batch)
    right = run_net(model.net, asked)
    proto = write_net(model.net)
    onnx.checker.check_model(proto, full_check=True)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    found = dict(zip(right, session.run(list(right), asked), strict=True))
    assert difference(found, right) < NEAR


def test_every_layer_that_is_read_is_answered_written_and_has_a_case():
    assert {each for each in PARSERS if not any(f'"{each}"' in case.text for case in CASES)} == set()
    assert set(KERNELS) == set(WRITERS)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    return convert_all("converter-caffe", Path(__file__).with_name("run_opencv.py"), tmp_path_factory.mktemp("cases"))


@pytest.mark.converters
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name[:100])
def test_opencv_answers_as_the_formulas_do_where_it_is_trusted(case, outcomes):
    outcome = outcomes[case.name]
    assert outcome["why"] or outcome["error"] < NEAR


@pytest.mark.converters
def test_most_layers_are_answered_by_opencv(outcomes):
    answered = [name for name, outcome in outcomes.items() if not outcome["why"]]
    assert len(answered) > 0.6 * len(CASES)
    kinds = {name.partition(" ")[0] for name in answered}
    assert kinds >= {
        "Convolution",
        "Deconvolution",
        "Pooling",
        "LRN",
        "BatchNorm",
        "Eltwise",
        "DetectionOutput",
        "PriorBox",
    }


def test_the_wider_type_is_kept(tmp_path):
    case = CASES[0]
    model = open_case(case, tmp_path)
    asked = {name: array.astype(np.float64) for name, array in questions(case, model).items()}
    assert {array.dtype for array in run_net(model.net, asked).values()} == {np.dtype(np.float64)}
