"""Model files of strangers: every place that could lead out, and every way to be damaged; nothing of them is run."""

import collections
import io
import os
import pickle
import zipfile

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from modelport.api import Tensor
from modelport.contract import ModelportError
from modelport.formats import FORMATS
from modelport.reasons import Reason
from modelport_converter.inspection import inspect_model
from modelport_converter.inspection.pytorch import _ALLOWED


def assert_fails(format_name, folder, paths, reason):
    with pytest.raises(ModelportError) as failed:
        inspect_model(format_name, folder, paths)
    assert failed.value.reason == reason, failed.value.message
    return failed.value.message


# --- ONNX -----------------------------------------------------------------------------------------------------------


def weights(name="w", size=64):
    return numpy_helper.from_array(np.ones((4, size), np.float32), name)


def network(*nodes, initializers=None):
    graph = helper.make_graph(
        [*nodes, helper.make_node("MatMul", ["x", "w"], ["y"])],
        "net",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4]),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 64]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 64])],
        [weights()] if initializers is None else initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def outside(tensor, location, **more):
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def write(tmp_path, model, name="model.onnx"):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(model.SerializeToString())
    return tmp_path


def test_the_signature_has_names_and_leaves_weights_out(tmp_path):
    signature = inspect_model("onnx", write(tmp_path, network()), ["model.onnx"])
    assert signature.inputs == [Tensor(name="x", dtype="float32", shape=["batch", 4])]
    assert signature.outputs == [Tensor(name="y", dtype="float32", shape=["y_0", 64])]


@pytest.mark.parametrize(
    ("kind", "dtype"), [("INT64", "int64"), ("BOOL", "bool"), ("FLOAT16", "float16"), ("STRING", "string")]
)
def test_element_types_have_their_usual_names(tmp_path, kind, dtype):
    model = network()
    model.graph.input[0].type.tensor_type.elem_type = getattr(TensorProto, kind)
    assert inspect_model("onnx", write(tmp_path, model), ["model.onnx"]).inputs[0].dtype == dtype


@pytest.mark.parametrize("cut", [1, 10, 100, 400])
def test_a_truncated_model_is_corrupt(tmp_path, cut):
    content = network().SerializeToString()
    (tmp_path / "model.onnx").write_bytes(content[:-cut])
    assert_fails("onnx", tmp_path, ["model.onnx"], Reason.SOURCE_CORRUPT)


@pytest.mark.parametrize("content", [b"", b"garbage", os.urandom(1000), b"<html>not found</html>"])
def test_garbage_is_corrupt(tmp_path, content):
    (tmp_path / "model.onnx").write_bytes(content)
    assert_fails("onnx", tmp_path, ["model.onnx"], Reason.SOURCE_CORRUPT)


def test_a_model_without_tensors_as_inputs_is_told(tmp_path):
    model = network()
    model.graph.input[0].CopyFrom(helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, [1]))
    assert "tensor" in assert_fails("onnx", write(tmp_path, model), ["model.onnx"], Reason.SOURCE_CORRUPT)


def test_two_models_are_one_too_many(tmp_path):
    assert_fails("onnx", tmp_path, ["a.onnx", "b.onnx"], Reason.SOURCE_CORRUPT)


def test_external_data_beside_the_model_is_found(tmp_path):
    write(tmp_path, network(initializers=[outside(weights(), "data.bin", length=1024)]), "net/model.onnx")
    (tmp_path / "net" / "data.bin").write_bytes(bytes(1024))
    assert inspect_model("onnx", tmp_path, ["net/data.bin", "net/model.onnx"]).inputs


@pytest.mark.parametrize("location", ["../data.bin", "/etc/passwd", "a/../../data.bin"])
def test_external_data_must_stay_inside(tmp_path, location):
    write(tmp_path, network(initializers=[outside(weights(), location)]))
    assert_fails("onnx", tmp_path, ["model.onnx"], Reason.UNSAFE_SOURCE)


def test_external_data_in_another_folder_is_not_beside(tmp_path):
    write(tmp_path, network(initializers=[outside(weights(), "data.bin")]), "net/model.onnx")
    assert_fails("onnx", tmp_path, ["net/model.onnx", "other/data.bin"], Reason.SOURCE_CORRUPT)


@pytest.mark.parametrize("more", [{"length": 1025}, {"offset": 1, "length": 1024}, {"length": "many"}])
def test_truncated_external_data_is_corrupt(tmp_path, more):
    write(tmp_path, network(initializers=[outside(weights(), "data.bin", **more)]))
    (tmp_path / "data.bin").write_bytes(bytes(1024))
    assert_fails("onnx", tmp_path, ["data.bin", "model.onnx"], Reason.SOURCE_CORRUPT)


def hidden(place):
    tensor = outside(weights("hidden"), "/etc/passwd")
    if place == "attribute":
        return network(helper.make_node("Constant", [], ["hidden"], value=tensor))
    branch = helper.make_graph([], "branch", [], [], [tensor])
    if place == "branch":
        return network(helper.make_node("If", ["c"], ["hidden"], then_branch=branch, else_branch=branch))
    model = network()
    node = helper.make_node("Constant", [], ["hidden"], value=tensor)
    model.functions.append(helper.make_function("f", "F", [], ["hidden"], [node], [helper.make_opsetid("", 17)]))
    return model


@pytest.mark.parametrize("place", ["attribute", "branch", "function"])
def test_external_data_is_looked_for_everywhere(tmp_path, place):
    assert_fails("onnx", write(tmp_path, hidden(place)), ["model.onnx"], Reason.UNSAFE_SOURCE)


# --- PyTorch --------------------------------------------------------------------------------------------------------


class Call:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def zip_of(content, name="archive/data.pkl"):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
        archive.writestr("archive/data/0", bytes(4096))
    return file.getvalue()


def legacy_of(content):
    head = b"".join(pickle.dumps(each, protocol=2) for each in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    return head + content + pickle.dumps(["0"], protocol=2) + bytes(4096)


def state_dict_pickle():
    """What torch.save writes for one tensor, without torch."""
    tensor = (
        b"ctorch._utils\n_rebuild_tensor_v2\n"
        b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
        b"K\x00(K\x02K\x02t(K\x02K\x01t\x89ccollections\nOrderedDict\n)RtR"
    )
    return b"\x80\x02ccollections\nOrderedDict\n)R(X\x01\x00\x00\x00w" + tensor + b"u."


def inspect_bytes(tmp_path, content):
    (tmp_path / "weights.pt").write_bytes(content)
    return inspect_model("pytorch-state-dict", tmp_path, ["weights.pt"])


@pytest.mark.parametrize("wrap", [zip_of, legacy_of])
def test_weights_alone_are_taken(tmp_path, wrap):
    assert inspect_bytes(tmp_path, wrap(state_dict_pickle())) is None


@pytest.mark.parametrize("wrap", [zip_of, legacy_of])
@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
@pytest.mark.parametrize("function", [os.system, eval, pickle.loads, os.popen])
def test_a_pickle_that_calls_is_refused_in_every_protocol(tmp_path, wrap, protocol, function):
    content = pickle.dumps(collections.OrderedDict(w=Call(function, "true")), protocol=protocol)
    (tmp_path / "weights.pt").write_bytes(wrap(content))
    assert_fails("pytorch-state-dict", tmp_path, ["weights.pt"], Reason.UNSAFE_SOURCE)


@pytest.mark.parametrize(
    "found", ["torch load", "torch.storage _load_from_bytes", "torch.hub load", "torch._utils _import_dotted_name"]
)
def test_functions_of_torch_that_would_load_more_are_not_taken(tmp_path, found):
    module, _, name = found.partition(" ")
    (tmp_path / "weights.pt").write_bytes(zip_of(f"c{module}\n{name}\n.".encode()))
    told = assert_fails("pytorch-state-dict", tmp_path, ["weights.pt"], Reason.UNSAFE_SOURCE)
    assert found.replace(" ", ".") in told


@pytest.mark.parametrize(
    "found",
    [
        *(
            "collections OrderedDict",
            "torch BFloat16Storage",
            "torch.cuda HalfStorage",
            "torch.cuda.sparse FloatTensor",
        ),
        *(
            "torch Size",
            "torch float8_e4m3fn",
            "torch quint4x2",
            "torch per_channel_affine",
            "torch bits1x8",
            "torch uint7",
        ),
        *("torch._utils _rebuild_parameter", "torch.storage UntypedStorage", "torch.nn.parameter Parameter"),
    ],
)
def test_what_rebuilds_tensors_is_taken(found):
    assert _ALLOWED.fullmatch(found)


def test_a_truncated_pickle_of_the_old_format_is_corrupt(tmp_path):
    (tmp_path / "weights.pt").write_bytes(legacy_of(state_dict_pickle())[:120])
    assert_fails("pytorch-state-dict", tmp_path, ["weights.pt"], Reason.SOURCE_CORRUPT)


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, zip_of(b"", name="other")])
def test_what_torch_never_wrote_is_corrupt(tmp_path, content):
    (tmp_path / "weights.pt").write_bytes(content)
    assert_fails("pytorch-state-dict", tmp_path, ["weights.pt"], Reason.SOURCE_CORRUPT)


@pytest.mark.parametrize("name", ["weights.pt", "weights.pth", "weights.bin", "weights.ckpt"])
@pytest.mark.parametrize("wrap", [zip_of, legacy_of])
def test_both_ways_to_save_are_recognised(name, wrap):
    found = [each.name for each in FORMATS.values() if each.recognise(name, wrap(state_dict_pickle())[:4096])]
    assert found == ["pytorch-state-dict"]
