"""Model files of strangers: every place that could lead out, and every way to be damaged; nothing of them is run."""

import collections
import io
import os
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from modelport.api.reasons import Reason
from modelport.api.status import Tensor
from modelport.conversion.detection import Evidence, detect
from modelport.errors import ModelportError
from modelport.frameworks import SOURCES
from modelport.storage.trees import FolderTree
from modelport_converter.frameworks import inspect_model


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


@pytest.mark.parametrize("content", [b"", b"garbage", bytes(range(256)) * 4, b"<html>not found</html>"])
def test_garbage_is_corrupt(tmp_path, content):
    (tmp_path / "model.onnx").write_bytes(content)
    assert_fails("onnx", tmp_path, ["model.onnx"], Reason.SOURCE_CORRUPT)


def test_a_model_without_tensors_as_inputs_is_told(tmp_path):
    model = network()
    model.graph.input[0].CopyFrom(helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, [1]))
    assert "tensor" in assert_fails("onnx", write(tmp_path, model), ["model.onnx"], Reason.CONVERSION_FAILED)


def test_two_models_are_one_too_many(tmp_path):
    for name in ("a.onnx", "b.onnx"):
        write(tmp_path, network(), name)
    assert_fails("onnx", tmp_path, ["a.onnx", "b.onnx"], Reason.AMBIGUOUS_FORMAT)


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
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "data.bin").write_bytes(bytes(1024))
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


def zip_of(content, name="archive/data.pkl", data=bytes(4096)):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
        archive.writestr("archive/data/0", data)
        archive.writestr("archive/version", b"3\n")
    return file.getvalue()


def legacy_of(content):
    head = b"".join(pickle.dumps(each, protocol=2) for each in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    return head + content + pickle.dumps(["0"], protocol=2) + (4).to_bytes(8, "little") + bytes(16)


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
def test_weights_that_only_a_call_would_make_are_refused_in_every_protocol(tmp_path, wrap, protocol, function):
    content = pickle.dumps(collections.OrderedDict(w=Call(function, "true")), protocol=protocol)
    (tmp_path / "weights.pt").write_bytes(legacy_without_storages(content) if wrap is legacy_of else wrap(content))
    assert_fails("pytorch-state-dict", tmp_path, ["weights.pt"], Reason.UNSAFE_SOURCE)


def legacy_without_storages(content):
    head = b"".join(pickle.dumps(each, protocol=2) for each in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    return head + content + pickle.dumps([], protocol=2)


@pytest.mark.parametrize("wrap", [zip_of, legacy_of])
@pytest.mark.parametrize("call", [b"cos\nsystem\n(X\x04\x00\x00\x00touctR", b"cbuiltins\neval\n(X\x01\x00\x00\x001tR"])
def test_a_call_among_weights_is_refused_and_named(tmp_path, wrap, call):
    content = state_dict_pickle().removesuffix(b"u.") + b"X\x01\x00\x00\x00b" + call + b"u."
    (tmp_path / "weights.pt").write_bytes(wrap(content))
    told = assert_fails("pytorch-state-dict", tmp_path, ["weights.pt"], Reason.UNSAFE_SOURCE)
    assert "os.system" in told or "builtins.eval" in told


@pytest.mark.parametrize("wrap", [zip_of, legacy_of])
def test_what_lies_beside_the_weights_is_never_called(tmp_path, wrap):
    """A checkpoint with a loss, a path, a configuration: names to us, whose calls are not made."""
    weights = state_dict_pickle().removeprefix(b"\x80\x02").removesuffix(b".")
    path = tmp_path / "owned"
    call = b"cos\nmkdir\n(X" + len(str(path)).to_bytes(4, "little") + str(path).encode() + b"tR"
    content = b"\x80\x02}(X\x05\x00\x00\x00state" + weights + b"X\x04\x00\x00\x00loss" + call + b"u."
    assert inspect_bytes(tmp_path, wrap(content)) is None
    assert not path.exists()


@pytest.mark.parametrize("found", ["torch load", "torch.storage _load_from_bytes", "torch.hub load"])
def test_a_name_alone_is_no_weight(tmp_path, found):
    module, _, name = found.partition(" ")
    (tmp_path / "weights.pt").write_bytes(zip_of(f"c{module}\n{name}\n.".encode()))
    told = assert_fails("pytorch-state-dict", tmp_path, ["weights.pt"], Reason.UNSAFE_SOURCE)
    assert found.replace(" ", ".") in told


def test_a_whole_model_is_refused_with_a_cure(tmp_path):
    content = b"\x80\x02ctorch.nn.modules.container\nSequential\n)\x81}X\x01\x00\x00\x00aK\x01sb."
    (tmp_path / "weights.pt").write_bytes(zip_of(content))
    told = assert_fails("pytorch-state-dict", tmp_path, ["weights.pt"], Reason.UNSAFE_SOURCE)
    assert "torch.nn.modules.container.Sequential" in told
    assert "save model.state_dict() alone" in told


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"K\x00(K\x02K\x02t", b"K\x01(K\x02K\x02t"),  # offset 1: five elements of four
        (b"(K\x02K\x02t", b"(K\x02K\x03t"),
        (b"(K\x02K\x01t", b"(K\xffK\x01t"),
        (b"(K\x02K\x01t", b"(K\x01t"),  # two axes, one stride
        (b"(K\x02K\x02t", b"(J\xff\xff\xff\xffK\x02t"),
        (b"X\x01\x00\x00\x000X", b"X\x01\x00\x00\x007X"),  # a storage that is not there
        (b"FloatStorage", b"StrangeStorage"),
    ],
)
def test_a_tensor_stays_within_its_storage(tmp_path, old, new):
    content = state_dict_pickle()
    assert old in content
    (tmp_path / "weights.pt").write_bytes(zip_of(content.replace(old, new, 1), data=bytes(16)))
    assert_fails("pytorch-state-dict", tmp_path, ["weights.pt"], Reason.SOURCE_CORRUPT)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b".", b"\x80\x02", b"(.", b"u.", b"R.", b"}K\x01s.", b"}(K\x01u.", b"]]}s.", b"(((((((((.", b"h\x05."),
        *(b"K\x01Q.", b"K\x01K\x02\x93b.", b"X\xff\xff\xff\xffabc.", b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc."),
        b"}]K\x01s.",
    ],
)
@pytest.mark.parametrize("wrap", [zip_of, legacy_of])
def test_a_damaged_pickle_is_told_and_kills_nothing(tmp_path, wrap, content):
    (tmp_path / "weights.pt").write_bytes(wrap(content))
    with pytest.raises(ModelportError) as failed:
        inspect_model("pytorch-state-dict", tmp_path, ["weights.pt"])
    assert failed.value.reason in (Reason.SOURCE_CORRUPT, Reason.UNSAFE_SOURCE)


@pytest.mark.parametrize(
    "content", [b"(" * 100_000 + b"t" * 100_000 + b"0}.", b")" + b"\x85" * 100_000 + b"q\x00}h\x00K\x01s."]
)
def test_depth_needs_no_stack(tmp_path, content):
    assert inspect_bytes(tmp_path, zip_of(content)) is None


def test_a_list_of_members_takes_bounded_memory(tmp_path):
    """Each is 46 bytes of the archive and 600 of memory."""
    with zipfile.ZipFile(tmp_path / "weights.pt", "w") as archive:
        archive.writestr("archive/data.pkl", state_dict_pickle())
        archive.writestr("archive/version", b"3")
        for member in [archive.infolist()[1]] * 100_000:
            archive.filelist.append(member)
    told = assert_fails("pytorch-state-dict", tmp_path, ["weights.pt"], Reason.UNSAFE_SOURCE)
    assert "more than is read" in told


@pytest.mark.parametrize("name", ["data.pkl", "byteorder"])
def test_what_is_packed_small_is_not_read_large(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "weights.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/version", b"3")
        if name != "data.pkl":
            archive.writestr("archive/data.pkl", state_dict_pickle(), zipfile.ZIP_STORED)
        archive.writestr(f"archive/{name}", b"]" * (32 << 20))
    tracemalloc.start()
    try:
        assert_fails("pytorch-state-dict", tmp_path, ["weights.pt"], Reason.SOURCE_CORRUPT)
        peak = tracemalloc.get_traced_memory()[1]
        assert peak < 8 << 20, peak
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("wrap", [zip_of, legacy_of])
def test_a_pickle_makes_no_more_objects_than_weights_need(tmp_path, monkeypatch, wrap):
    monkeypatch.setattr("modelport.asking.pytorch.pickles.MAX_STEPS", 100)
    assert inspect_bytes(tmp_path, wrap(state_dict_pickle())) is None
    (tmp_path / "weights.pt").write_bytes(wrap(b"]" * 100 + b"."))
    told = assert_fails("pytorch-state-dict", tmp_path, ["weights.pt"], Reason.SOURCE_CORRUPT)
    assert "a pickle of more than 100 steps" in told


def test_compressed_storages_are_not_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "weights.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", state_dict_pickle())
        archive.writestr("archive/data/0", bytes(1 << 20))
    assert "compressed" in assert_fails("pytorch-state-dict", tmp_path, ["weights.pt"], Reason.SOURCE_CORRUPT)


def test_a_truncated_pickle_of_the_old_format_is_corrupt(tmp_path):
    (tmp_path / "weights.pt").write_bytes(legacy_of(state_dict_pickle())[:120])
    assert_fails("pytorch-state-dict", tmp_path, ["weights.pt"], Reason.SOURCE_CORRUPT)


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, zip_of(b"", name="other")])
def test_what_torch_never_wrote_is_corrupt(tmp_path, content):
    (tmp_path / "weights.pt").write_bytes(content)
    assert_fails("pytorch-state-dict", tmp_path, ["weights.pt"], Reason.SOURCE_CORRUPT)


@pytest.mark.parametrize("name", ["weights.pt", "weights.pth", "weights.bin", "weights.ckpt"])
@pytest.mark.parametrize("wrap", [zip_of, legacy_of])
def test_both_ways_to_save_are_detected(tmp_path, name, wrap):
    (tmp_path / name).write_bytes(wrap(state_dict_pickle()))
    format_, evidence = detect(FolderTree(tmp_path, (name,)), SOURCES.values())
    assert (format_.name, evidence) == ("pytorch-state-dict", Evidence({"weights": name}))
