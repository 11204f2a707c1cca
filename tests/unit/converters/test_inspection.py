"""What is in a model file: signatures, and files that are not what they say."""

import io
import pickle
import zipfile
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport_converter.frameworks import inspect_model


def write_onnx(path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)


def write_pickle(path: Path, content: object, name: str = "archive/data.pkl") -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, pickle.dumps(content, protocol=2))


class Evil:
    def __reduce__(self):
        return (eval, ("1",))


def test_the_signature_of_an_onnx_model(tmp_path: Path) -> None:
    write_onnx(tmp_path / "m.onnx")
    signature = inspect_model("onnx", tmp_path, ["m.onnx"])
    assert [(each.name, each.dtype, each.shape) for each in signature.inputs] == [("x", "float32", ["batch", 3])]
    assert [each.name for each in signature.outputs] == ["y"]


def test_garbage_is_no_onnx_model(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\x08garbage")
    with pytest.raises(ModelportError) as caught:
        inspect_model("onnx", tmp_path, ["m.onnx"])
    assert caught.value.reason is Reason.SOURCE_CORRUPT


def test_external_data_may_not_leave_the_folder(tmp_path: Path) -> None:
    write_onnx(tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    tensor = model.graph.initializer.add(name="w", data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelportError) as caught:
        inspect_model("onnx", tmp_path, ["m.onnx"])
    assert caught.value.reason is Reason.UNSAFE_SOURCE


def test_weights_are_weights(tmp_path: Path) -> None:
    write_pickle(tmp_path / "w.pt", {"a": [1.0]})
    assert inspect_model("pytorch-state-dict", tmp_path, ["w.pt"]) is None


def test_what_only_a_call_would_make_is_named(tmp_path: Path) -> None:
    write_pickle(tmp_path / "w.pt", Evil())
    with pytest.raises(ModelportError, match=r"eval") as caught:
        inspect_model("pytorch-state-dict", tmp_path, ["w.pt"])
    assert caught.value.reason is Reason.UNSAFE_SOURCE


def test_truncated_weights_are_corrupt(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": 1}, protocol=2))
    (tmp_path / "w.pt").write_bytes(buffer.getvalue()[:-20])
    with pytest.raises(ModelportError) as caught:
        inspect_model("pytorch-state-dict", tmp_path, ["w.pt"])
    assert caught.value.reason is Reason.SOURCE_CORRUPT
