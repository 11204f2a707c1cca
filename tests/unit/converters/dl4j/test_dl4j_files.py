"""Archives of DL4J that are not what they say, what is detected, and what is known of inputs."""

import struct
import zipfile

import numpy as np
import onnxruntime
import pytest

from converters.dl4j.dl4j_models import chain, dense, vector, write
from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.conversion.detection import detect
from modelport.errors import ModelportError
from modelport.frameworks import FORMATS
from modelport.storage.trees import FolderTree
from modelport_converter.frameworks import inspect_model
from modelport_converter.frameworks.dl4j.opening import open_model
from modelport_converter.frameworks.dl4j.reading.archives import copy_model
from modelport_converter.frameworks.dl4j.reading.networks import sort_vertices
from modelport_converter.frameworks.dl4j.to_onnx import write_network

WEIGHTS = np.arange(8.0)
"""Of a dense layer of three inputs and two outputs: column by column, then the bias."""
GOOD = vector(WEIGHTS)
NET = chain(dense(3, 2))


def failure(tmp_path, configuration, coefficients=GOOD):
    path = write(tmp_path / "model.zip", configuration, coefficients)
    with pytest.raises(ModelportError) as caught:
        inspect_and_write(path)
    return caught.value.reason, caught.value.message


def inspect_and_write(path):
    inspect_model("dl4j", path.parent, [path.name])
    write_network(open_model(path, []))


def answer(path, *questions):
    model = open_model(path, [])
    session = onnxruntime.InferenceSession(write_network(model).SerializeToString())
    return session.run(None, {each.name: array for each, array in zip(model.inputs, questions, strict=True)})


def test_an_archive_is_told_by_its_members_whatever_its_name(tmp_path):
    write(tmp_path / "weights.bin", NET, GOOD)
    found, evidence = detect(FolderTree(tmp_path, ("weights.bin",)), FORMATS.values())
    assert (found.name, evidence.parts) == ("dl4j", {"model": "weights.bin"})


def test_weights_lie_column_by_column_before_the_bias(tmp_path):
    path = write(tmp_path / "model.zip", NET, GOOD)
    question = np.array([[1, 10, 100]], np.float32)
    np.testing.assert_allclose(answer(path, question)[0], [[0 + 10 + 200 + 6, 3 + 40 + 500 + 7]])


@pytest.mark.parametrize(
    ("coefficients", "message"),
    [
        (b"", "expected 2 bytes more, found 0"),
        (GOOD[:-1], "the file is truncated"),
        (vector(WEIGHTS[:7]), "expected 8 parameters, as the layers have them, found shape"),
        (GOOD.replace(b"FLOAT", b"UTF-8"), "expected 8 numbers (FLOAT, DOUBLE, HALF), found 8 of UTF-8"),
        (GOOD.replace(b"MIXED_DATA_TYPES", b"MIXED_DATA_TIPES"), "expected a buffer"),
        (GOOD.replace(struct.pack(">2q", 1, 8), struct.pack(">2q", 2, 4)), "expected parameters in one row"),
        (b"\xff\xff" + GOOD, "expected a word, found one of 65535 characters"),
        (
            GOOD.replace(struct.pack(">q", 8) + b"\0\5FLOAT", struct.pack(">q", 2**60) + b"\0\5FLOAT"),
            "expected 8 numbers",
        ),
    ],
)
def test_damaged_parameters_are_told(tmp_path, coefficients, message):
    reason, found = failure(tmp_path, NET, coefficients)
    assert reason == Reason.SOURCE_CORRUPT
    assert message in found


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        (b"{", "expected JSON"),
        (b"[" * 100_000, "expected JSON"),
        (b"[]", "expected an object, found []"),
        ({}, "configuration.json.confs: expected a list, found None"),
        ({"confs": []}, "expected 1 to 100000 layers, found 0"),
        (chain({**dense(3, 2), "nin": 2**40}), "expected an integer from 0 on, found 1099511627776"),
        (chain({**dense(3, 2), "nin": True}), "expected an integer from 0 on, found True"),
        (chain({**dense(3, 2), "nin": 2**30, "nout": 2**30}), "expected at most 17179869184 parameters"),
        (chain(dense(3, 2), dataType="INT"), "dataType: expected FLOAT, DOUBLE, HALF, found INT"),
    ],
)
def test_damaged_configurations_are_told(tmp_path, configuration, message):
    reason, found = failure(tmp_path, configuration)
    assert reason == Reason.SOURCE_CORRUPT
    assert message in found


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"@class": "CapsuleLayer"}, "a layer CapsuleLayer is not converted; replace it"),
        (dense(3, 2, "Maxout"), "activation Maxout is not converted; train the model with another one"),
        ({**dense(3, 2), "@class": "mine.Layer"}, "a layer Layer is not converted"),
    ],
)
def test_what_is_not_converted_is_named(tmp_path, layer, message):
    reason, found = failure(tmp_path, chain(layer))
    assert reason == Reason.CONVERSION_FAILED
    assert message in found


def test_a_member_that_is_packed_ten_thousand_times_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("configuration.json", b" " * (300 << 20))
        archive.writestr("coefficients.bin", GOOD)
    with pytest.raises(ModelportError):
        inspect_model("dl4j", tmp_path, ["model.zip"])


def test_only_what_makes_the_model_reaches_java(tmp_path):
    path = write(tmp_path / "model.zip", NET, GOOD)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("preprocessor.bin", b"\xac\xed\0\5")  # an object of Java
    copy_model(path, tmp_path / "copy.zip")
    with zipfile.ZipFile(tmp_path / "copy.zip") as archive:
        assert archive.namelist() == ["configuration.json", "coefficients.bin"]


def test_vertices_come_in_the_order_of_javas_hash_set():
    """Numbers from 16 on share buckets with those from 0 on while few are ready at once."""
    sources = {f"v{number}": ("a",) if number in (0, 1, 16, 17) else ("v0",) for number in range(18)}
    order = sort_vertices(("a",), sources)
    assert order[:5] == ["a", "v0", "v16", "v1", "v17"]


def test_inputs_that_no_layer_tells_are_asked_for(tmp_path):
    pool = {"@class": "SubsamplingLayer", "kernelSize": [2, 2], "stride": [2, 2], "poolingType": "MAX"}
    path = write(tmp_path / "model.zip", chain(pool), b"")
    with pytest.raises(ModelportError, match="how many channels its 4 axes have; state it under inputs"):
        open_model(path, [])
    given = open_model(path, [Input(name="input", shape=["batch", 3, "height", "width"])])
    assert [(each.name, each.shape) for each in given.inputs] == [("input", ["batch", 3, "height", "width"])]
    with pytest.raises(ModelportError, match=r"expected inputs of the model \(input\), found image"):
        open_model(path, [Input(name="image", shape=["batch", 3])])


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ({"@class": "LSTM", "nin": 4, "nout": 2}, ["batch", 4, "time"]),
        ({"@class": "LSTM", "nin": 4, "nout": 2, "rnnDataFormat": "NWC"}, ["batch", "time", 4]),
    ],
)
def test_time_is_the_last_axis_unless_the_layer_says_so(tmp_path, kind, shape):
    path = write(tmp_path / "model.zip", chain(kind), vector(np.zeros(4 * 8 + 2 * 8 + 8)))
    assert open_model(path, []).inputs[0].shape == shape
