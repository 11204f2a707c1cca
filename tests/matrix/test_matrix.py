"""The conversion matrix: its data is whole, its page follows from it, and a part of it is measured here.

`make matrix` measures all cells; those of PART are the tier of `make test`: each family of forms once, in under five minutes
where the environments and the models are made.
"""

import conversion_matrix
import pytest
from conversion_matrix import CONVERTS, Cell, Row, converter_digest, find_faults, find_old, read_expected, read_measured

from matrix.measuring import measure
from matrix.sources import MAKERS_BY_FRAMEWORK, make
from modelport.api.reasons import Reason
from modelport.frameworks import SOURCES

PART = (
    *("attention/onnx-external", "silero-vad/onnx-op15"),
    *("pnet/state-dict", "bert/huggingface", "lstm/module", "yolo/pytorch-export", "unet/torchscript-scripted"),
    *("cnn/keras-h5-2", "lstm/keras-3", "transformer/saved-model-3", "lstm/checkpoint-1", "transformer/tflite-3"),
    *("residual/caffe", "residual/dl4j", "cnn/mxnet", "mlp/theano", "lstm/json", "gbm-binomial/mojo", "columns/pickle"),
)
CELLS = {cell.name: cell for cell in read_expected()}


def test_each_cell_is_named_once_and_expects_what_there_is():
    assert len(CELLS) == len(read_expected())
    assert {cell.expected for cell in CELLS.values()} <= {CONVERTS, *map(str, Reason)}


def test_every_format_has_a_row_that_converts():
    assert {row.format for row in read_measured().values() if row.outcome == CONVERTS} == set(SOURCES)


def test_no_row_is_otherwise_than_expected():
    assert find_faults(read_expected(), read_measured()) == []


def row(**fields):
    return Row(**{"cell": "net/onnx", "outcome": CONVERTS, "seconds": 1, "converter": "old"} | fields)


def test_a_row_of_an_older_converter_is_told_and_one_that_is_wrong_is_named():
    cell = Cell("onnx", "net", "onnx", CONVERTS)
    assert find_old([cell], {"net/onnx": row()}) == ["net/onnx"]
    assert find_old([cell], {"net/onnx": row(converter=converter_digest(cell))}) == []
    (fault,) = find_faults([cell], {"net/onnx": row(outcome="ConversionFailed", message="no such operator")})
    assert fault == "net/onnx: expected converts, found ConversionFailed: no such operator"


def test_old_rows_and_absent_ones_are_listed(monkeypatch, capsys):
    cells = [Cell("onnx", "net", "onnx", CONVERTS), Cell("onnx", "other", "onnx", CONVERTS)]
    monkeypatch.setattr(conversion_matrix, "read_expected", lambda: cells)
    monkeypatch.setattr(conversion_matrix, "read_measured", lambda: {"net/onnx": row()})
    conversion_matrix.tell_old()
    told = capsys.readouterr().err
    assert "1 rows made by an older converter (`make matrix`): net/onnx\n" in told
    assert "1 rows not measured yet (`make matrix`): other/onnx\n" in told


@pytest.mark.converters
@pytest.mark.packages
@pytest.mark.parametrize("name", PART)
def test_a_part_of_the_matrix_is_as_expected(name):
    cell = CELLS[name]
    maker = MAKERS_BY_FRAMEWORK[cell.framework]
    sources = dict.fromkeys(CELLS[each].source for each in PART if CELLS[each].framework == cell.framework)
    folder = make(maker, sources)[cell.source]
    found = measure(cell, folder)
    assert found.outcome == cell.expected, found.message
