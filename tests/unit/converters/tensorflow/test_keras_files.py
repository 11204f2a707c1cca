"""Files of Keras and TensorFlow: told by content, looked at without running anything, refused where they would."""

import base64
import json
import os
import signal
import time
import zipfile

import h5py
import numpy as np
import pytest

from modelport.api.reasons import Reason
from modelport.conversion.detection import detect
from modelport.errors import ModelportError
from modelport.frameworks import SOURCES
from modelport.storage.trees import open_tree
from modelport_converter.frameworks import inspect_model
from modelport_converter.frameworks.tensorflow.keras import guarding

CODE = base64.b64encode(b"\xe3code").decode()
LAYER = {"module": "keras.layers", "class_name": "Dense", "config": {"name": "dense"}, "registered_name": None}
MODEL = {"module": "keras", "class_name": "Sequential", "config": {"name": "net", "layers": [LAYER]}}
SAVED_MODEL = b"\x08\x01\x12\x05hello"
TABLE = b"weights" + b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"


def lambda_of(version):
    """A Lambda layer as each version of Keras writes it."""
    function = [CODE, None, None] if version == 2 else {"class_name": "__lambda__", "config": {"code": CODE}}
    return {"class_name": "Lambda", "config": {"name": "scale", "function": function}}


def with_layer(layer):
    return {"class_name": "Model", "config": {"name": "outer", "layers": [MODEL, layer]}}


def write_h5(path, config=MODEL, version="3.15.1"):
    with h5py.File(path, "w") as file:
        if config is not None:
            file.attrs["keras_version"] = version
            file.attrs["model_config"] = config if isinstance(config, str) else json.dumps(config)
        file["model_weights/dense/kernel"] = np.ones((4, 3), np.float32)


def write_keras(path, config=MODEL, names=("model.weights.h5",)):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config if isinstance(config, str) else json.dumps(config))
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        for name in names:
            archive.writestr(name, b"\x89HDF\r\n\x1a\n")


def found(folder):
    """Return name, parts, certainty and rivals of what is detected in a folder."""
    answer = detect(open_tree(folder), SOURCES.values())
    return answer and (answer[0].name, dict(answer[1].parts), answer[1].is_sure, answer[1].rivals)


def inspect(folder, name):
    return inspect_model(name, folder, list(open_tree(folder).paths))


@pytest.mark.parametrize("name", ["net.h5", "net.keras", "net"])
def test_a_whole_model_in_hdf5_is_one_under_any_name(tmp_path, name):
    write_h5(tmp_path / name, with_layer({**LAYER, "padding": "x" * 40_000}))
    assert found(tmp_path) == ("keras-h5", {"model": name}, True, ())
    assert inspect(tmp_path, "keras-h5") is None


def test_weights_alone_are_no_model(tmp_path):
    write_h5(tmp_path / "net.h5", None)
    assert found(tmp_path) == ("keras-h5", {"model": "net.h5"}, False, ())
    with pytest.raises(ModelportError, match="may hold weights alone") as caught:
        inspect(tmp_path, "keras-h5")
    assert caught.value.reason == Reason.SOURCE_CORRUPT


@pytest.mark.parametrize("name", ["net.keras", "net.zip", "net"])
def test_an_archive_of_keras_is_one_under_any_name(tmp_path, name):
    write_keras(tmp_path / name)
    assert found(tmp_path) == ("keras", {"model": name}, True, ())
    assert inspect(tmp_path, "keras") is None


def test_a_saved_model_is_a_folder(tmp_path):
    (tmp_path / "net" / "variables").mkdir(parents=True)
    (tmp_path / "net" / "saved_model.pb").write_bytes(SAVED_MODEL)
    (tmp_path / "net" / "variables" / "variables.index").write_bytes(TABLE)
    assert found(tmp_path) == ("tensorflow-saved-model", {"model": "net/saved_model.pb"}, True, ())
    assert inspect(tmp_path, "tensorflow-saved-model") is None


def test_an_architecture_belongs_to_the_weights_beside_it(tmp_path):
    (tmp_path / "net.json").write_text(json.dumps(MODEL))
    assert found(tmp_path) is None
    write_h5(tmp_path / "net.weights.h5", None)
    assert found(tmp_path)[:2] == ("keras-json-weights", {"architecture": "net.json", "weights": "net.weights.h5"})
    assert inspect(tmp_path, "keras-json-weights") is None


def test_of_several_checkpoints_the_one_that_is_named_counts(tmp_path):
    (tmp_path / "net.json").write_text(json.dumps(MODEL))
    for number in (1, 2):
        (tmp_path / f"ckpt-{number}.index").write_bytes(TABLE)
    assert found(tmp_path)[3] == ("ckpt-2.index",)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/elsewhere/ckpt-2"\nall: "ckpt-1"\n')
    assert found(tmp_path)[1:] == ({"architecture": "net.json", "weights": "ckpt-2.index"}, True, ())


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("write", [write_h5, write_keras])
def test_a_function_in_a_layer_is_code(tmp_path, write, version):
    write(tmp_path / "net", with_layer(lambda_of(version)))
    assert (
        told(tmp_path)
        == "expected layers without code of their own, found a function in layer scale (Lambda), which would run"
    )


def test_a_class_of_another_module_is_code(tmp_path):
    write_keras(tmp_path / "net", with_layer({"module": "os", "class_name": "function", "config": "system"}))
    assert "found os.system in layer outer" in told(tmp_path)


@pytest.mark.parametrize(
    ("kind", "settings", "word"),
    [
        ("TFOpLambda", {"function": "io.write_file"}, "io.write_file"),
        ("TFOpLambda", {"function": "load_op_library"}, "load_op_library"),
        ("TFOpLambda", {"function": "compat.v1.py_func"}, "compat.v1.py_func"),
        ("TFOpLambda", {}, "TFOpLambda"),
        ("ClassMethod", {"cls_symbol": "data.TFRecordDataset"}, "data.TFRecordDataset"),
        ("TensorFlowOpLayer", {"node_def": '{"name": "x", "op": "ReadFile"}'}, "TensorFlowOpLayer"),
        ("TFSMLayer", {"filepath": "other"}, "TFSMLayer"),
    ],
)
def test_an_operator_that_reaches_out_is_code(tmp_path, kind, settings, word):
    write_h5(tmp_path / "net", with_layer({"class_name": kind, "config": {"name": "odd", **settings}}), "2.21.0")
    assert f"found {word} in layer odd" in told(tmp_path)


@pytest.mark.parametrize(
    "name", ["__operators__.getitem", "math.floormod", "compat.v1.shape", "cast", "keras.backend.sum"]
)
def test_an_operator_that_computes_is_none(tmp_path, name):
    layer = {"class_name": "TFOpLambda", "config": {"name": "fine", "function": name}}
    write_h5(tmp_path / "net", with_layer(layer), "2.21.0")
    assert inspect_model("keras-h5", tmp_path, ["net"]) is None


def test_a_function_of_python_is_code(tmp_path):
    layer = {"module": "keras.layers", "class_name": "Dense", "config": {"name": "dense", "activation": {}}}
    layer["config"]["activation"] = {"module": "builtins", "class_name": "function", "config": "input"}
    write_keras(tmp_path / "net", with_layer(layer))
    assert "found builtins.input in layer dense" in told(tmp_path)


@pytest.mark.parametrize("layout", ["layer_names", "vars"])
def test_weights_alone_are_a_factory_s(tmp_path, layout):
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file["dense/vars/0"] = np.ones((4, 3), np.float32)
        if layout == "layer_names":
            file.attrs["layer_names"] = ["dense"]
    assert found(tmp_path) == ("keras-json-weights", {"weights": "net.h5"}, False, ())


def test_weights_in_two_forms_are_a_choice(tmp_path):
    (tmp_path / "model.json").write_text(json.dumps(MODEL))
    write_h5(tmp_path / "net.weights.h5", config=None)
    (tmp_path / "ckpt-1.index").write_bytes(TABLE)
    assert found(tmp_path)[3] == ("ckpt-1.index",)


def test_a_function_in_an_activation_is_code(tmp_path):
    activation = {"class_name": "__lambda__", "config": {"code": CODE}}
    write_keras(tmp_path / "net", with_layer({**LAYER, "config": {"name": "dense_1", "activation": activation}}))
    assert "a function in layer dense_1" in told(tmp_path)


def told(folder):
    with pytest.raises(ModelportError) as caught:
        inspect(folder, "keras")
    assert caught.value.reason == Reason.UNTRUSTED_SOURCE
    return caught.value.message


def link(file):
    file["other"] = h5py.ExternalLink("/etc/passwd", "/")


def external(file):
    file.create_dataset("other", (4,), "u1", external=[("/etc/passwd", 0, 4)])


def virtual(file):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "data", (4,))
    file.create_virtual_dataset("other", layout)


@pytest.mark.parametrize("lead", [link, external, virtual])
def test_nothing_leads_out_of_a_file(tmp_path, lead):
    write_h5(tmp_path / "net.h5")
    with h5py.File(tmp_path / "net.h5", "r+") as file:
        lead(file)
    with pytest.raises(ModelportError, match="expected all weights inside the file") as caught:
        inspect(tmp_path, "keras-h5")
    assert caught.value.reason == Reason.UNSAFE_SOURCE


@pytest.mark.parametrize("config", ["", "{", "[]", "1", "[" * 100_000])
@pytest.mark.parametrize("write", [write_h5, write_keras])
def test_what_is_no_architecture_is_corrupt(tmp_path, write, config):
    write(tmp_path / "net", config)
    assert_corrupt(tmp_path)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("write", [write_h5, write_keras])
def test_what_lost_its_end_is_corrupt(tmp_path, write, share):
    ending = {write_h5: "net.h5", write_keras: "net.keras"}[write]
    write(tmp_path / ending)
    content = (tmp_path / ending).read_bytes()
    (tmp_path / ending).write_bytes(content[: int(len(content) * share)])
    assert_corrupt(tmp_path)


def test_an_archive_of_another_version_is_corrupt(tmp_path):
    write_keras(tmp_path / "net.keras")
    content = bytearray((tmp_path / "net.keras").read_bytes())
    content[content.index(b"PK\x01\x02") + 6] = 84  # version needed to extract
    (tmp_path / "net.keras").write_bytes(content)
    assert_corrupt(tmp_path)


def crash(_path):
    os.kill(os.getpid(), signal.SIGKILL)


def hang(_path):
    while True:
        time.sleep(1)


@pytest.mark.parametrize(("read", "ending"), [(crash, "SIGKILL"), (hang, "SIGALRM")])
def test_a_file_at_which_hdf5_ends_is_corrupt(tmp_path, monkeypatch, read, ending):
    monkeypatch.setattr(guarding, "SECONDS", 1)
    with pytest.raises(ModelportError, match=ending) as caught:
        guarding.read_guarded(read, tmp_path / "net.h5")
    assert caught.value.reason == Reason.SOURCE_CORRUPT


def test_an_archive_without_weights_is_corrupt(tmp_path):
    write_keras(tmp_path / "net.keras", names=())
    assert_corrupt(tmp_path)


def assert_corrupt(folder):
    with pytest.raises(ModelportError) as caught:
        inspect(folder, "keras")
    assert caught.value.reason == Reason.SOURCE_CORRUPT


GRAPH = b"\x0a\x14\x0a\x05given\x12\x0bPlaceholder"
LITE = b"\x1c\x00\x00\x00TFL3"


@pytest.mark.parametrize(("content", "name"), [(GRAPH, "tensorflow-graph"), (LITE, "tflite")])
def test_graphs_are_told_by_how_they_begin(tmp_path, content, name):
    (tmp_path / "net").write_bytes(content)
    assert found(tmp_path) == (name, {"model": "net"}, True, ())
    assert inspect(tmp_path, name) is None


def test_a_graph_lies_beside_its_checkpoint(tmp_path):
    for number in (1, 2):
        (tmp_path / f"net-{number}.index").write_bytes(TABLE)
        (tmp_path / f"net-{number}.meta").write_bytes(b"\x0a\x02\x12\x00")
    assert found(tmp_path)[3] == ("net-2.meta",)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "net-2"\n')
    assert found(tmp_path) == ("tensorflow-checkpoint", {"model": "net-2.meta"}, True, ())
