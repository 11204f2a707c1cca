"""Caffe as a target by the command line: from ONNX, from Caffe, there and back; in both dialects, and who verified."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converters.caffe.caffe_files import write
from converters.caffe.caffe_nets import NETS
from converters.caffe.targets.test_onnx_as_caffe import drawn

pytestmark = pytest.mark.converters
FILES = ["deploy.prototxt", "net.caffemodel"]


def manifest(file, target, **options):
    return {
        "apiVersion": "modelport.dev/v1alpha1",
        "kind": "ModelConversion",
        "metadata": {"name": "net"},
        "spec": {"source": {"uri": f"s3://models/{file}"}, "target": {"format": target, "options": options}},
    }


def files_of(status):
    return Path(status["artifact"]["uri"].removeprefix("file://")) / "model"


def is_right(status):
    assert "failure" not in status, status
    for output in status["verification"]["outputs"]:
        assert float(output["excess"]) < 1
    return True


@pytest.mark.parametrize("dialect", ["opencv", "bvlc"])
def test_a_model_of_onnx_is_served_by_opencv(run, tmp_path, dialect):
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[0, 0, 1, 1], strides=[2, 2]),
        helper.make_node("HardSwish", ["c"], ["h"]),
        helper.make_node("MaxPool", ["h"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["p"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "m"], ["l"]),
        helper.make_node("Softmax", ["l"], ["shares"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 16, 16])]
    outputs = [helper.make_tensor_value_info("shares", TensorProto.FLOAT, ["n", 5])]
    weights = [numpy_helper.from_array(drawn(8, 3, 3, 3), "w"), numpy_helper.from_array(drawn(8, 5), "m")]
    graph = helper.make_graph(nodes, "net", inputs, outputs, weights)
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    status = run(manifest("net.onnx", "caffe", dialect=dialect), path)
    assert is_right(status)
    assert sorted(each.name for each in files_of(status).iterdir()) == FILES
    told = "".join(status["verification"].get("caveats", []))
    assert ("BVLC's Caffe itself ran nothing" in told) == (dialect == "bvlc")


def test_a_net_of_caffe_is_served_and_comes_back_from_onnx(run, tmp_path):
    source = write(tmp_path / "net", *NETS["residual"]())
    assert is_right(run(manifest("net/", "caffe"), source))
    as_onnx = run(manifest("net/", "onnx"), source)
    assert is_right(as_onnx)
    back = run(manifest("model.onnx", "caffe"), files_of(as_onnx) / "model.onnx")
    assert is_right(back)
    assert sorted(each.name for each in files_of(back).iterdir()) == FILES
