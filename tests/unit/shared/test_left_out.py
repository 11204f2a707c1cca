"""Formats that are known and not read are refused by name, by the files as their own tools write them."""

import json

import pytest

from modelport.api.reasons import Reason
from modelport.conversion.left_out import LEFT_OUT, refuse_left_out
from modelport.errors import ModelportError
from modelport.storage.trees import open_tree

FILES = {
    "Core ML": ("net.mlpackage/Data/com.apple.CoreML/model.mlmodel", b"\x08\x07\x12\x04"),
    "TensorRT engine": ("net.bin", b"ptrt\x00\x00"),
    "GGUF or GGML": ("net.bin", b"GGUF\x03\x00\x00\x00"),
    "PMML": (
        "net.xml",
        b'<?xml version="1.0"?>\n<!-- made -->\n<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4">',
    ),
    "OpenVINO IR": ("net.xml", b'<?xml version="1.0"?>\n<net name="Model0" version="11">'),
    "Darknet": ("yolo.cfg", b"# Testing\n[net]\nbatch=1\n"),
    "TensorFlow.js": ("model.json", b'{"format": "graph-model", "generatedBy": "2.11"}'),
    "ncnn": ("net.param", b"7767517\n3 3\nInput data 0 1 data"),
    "ExecuTorch": ("net.bin", b"\x18\x00\x00\x00ET12"),
    "ONNX Runtime's own format (.ort)": ("net.bin", b"\x24\x00\x00\x00ORTM"),
    "MNN": ("net.mnn", b"\x20"),
    "TNN": ("net.tnnproto", b'"1 3 1 4206624770 ,"'),
    "MindSpore": ("net.mindir", b"\x0a"),
    "Paddle Lite": ("net.nb", b"\x02"),
    "RKNN": ("net.bin", b"RKNN\x00"),
    "Qualcomm DLC": ("net.dlc", b"PK\x03\x04"),
    "Hailo HEF": ("net.hef", b"\x01HEF"),
    "Caffe2": ("nets/predict_net.pb", b"\x0a\x03net"),
    "CNTK": ("net.dnn", b"B"),
    "Torch 7": ("net.t7", b"\x04"),
    "Chainer": ("net.chainermodel", b"PK"),
    "JAX, Flax or Orbax": ("flax_model.msgpack", b"\x81"),
    "R object (saveRDS, save)": ("model.rds", b"\x1f\x8b"),
    "MATLAB workspace or network (.mat)": ("net.mat", b"MATLAB 5.0 MAT-file, Platform: GLNXA64"),
    "Weka": ("weka.model", b"\xac\xed\x00\x05sr\x00\x15weka.classifiers.trees"),
    "Spark ML or MLeap": ("model/metadata/part-00000", b'{"class":"org.apache.spark.ml.PipelineModel"}'),
    "Keras architecture without weights (JSON)": (
        "model.json",
        json.dumps({"keras_version": "1.2.2", "class_name": "Sequential", "config": []}, indent=1).encode(),
    ),
    "compiled library": ("net.so", b"\x7fELF\x02"),
}


@pytest.mark.parametrize("each", LEFT_OUT, ids=lambda each: each.name)
def test_a_format_that_is_not_read_is_refused_by_name(tmp_path, each):
    path, content = FILES[each.name]
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_bytes(content)
    tree = open_tree(tmp_path)
    with pytest.raises(ModelportError) as caught:
        refuse_left_out(tree, tree.paths)
    assert caught.value.reason == Reason.UNSUPPORTED_FORMAT
    assert str(caught.value) == f"{path}: {each.name}, which is not read; {each.instead}"


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"a text", b"{}", b"<html><body>PMML</body></html>"])
def test_other_files_are_not_taken_for_one(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    tree = open_tree(tmp_path)
    assert refuse_left_out(tree, tree.paths) is None
