"""Formats are told by what is in files; archives of models stay whole, and what could be two things is a question."""

import io
import pickle
import types
import zipfile
from collections import OrderedDict

import onnx
import pytest
from onnx import TensorProto, helper

from modelport.api.reasons import Reason
from modelport.conversion.detection import detect
from modelport.errors import ModelportError
from modelport.frameworks import SOURCES
from modelport.storage.trees import FolderTree, open_tree
from modelport_converter.frameworks import is_packed
from modelport_converter.tasks import find_part


def onnx_bytes(**fields):
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "net", [value], [value])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], **fields).SerializeToString()


def zip_bytes(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"content")
    return file.getvalue()


CHECKPOINT = zip_bytes("best/data.pkl", "best/byteorder", "best/data/0", "best/version")
SCRIPT = zip_bytes("best/data.pkl", "best/code/__torch__/net.py", "best/constants.pkl", "best/version")
PROGRAM = zip_bytes("best/archive_format", "best/models/model.json", "best/data/weights/weight_0", "best/version")
COMPILED = zip_bytes("best/archive_format", "best/data/aotinductor/model/wrapper.so")
SAFETENSORS = (2).to_bytes(8, "little") + b"{}"
CONFIG = b'{"architectures": ["BertModel"], "model_type": "bert"}'
STRAY = zip_bytes("net.onnx", "extras/data.pkl", "extras/version")
DL4J = zip_bytes("configuration.json", "coefficients.bin", "updaterState.bin")

TENSOR = helper.make_tensor("x", TensorProto.INT64, [2], [10, 18]).SerializeToString()
"""Begins as a model does: a number, and later a field 7 that has a length."""
SAVED_MODEL = b"\x08\x01\x12\x05hello"


@pytest.fixture
def found(tmp_path):
    """Return name, parts and certainty of what is detected in files."""

    def look(**files):
        for name, content in files.items():
            (tmp_path / name.replace("_dot_", ".")).write_bytes(content)
        names = tuple(sorted(path.name for path in tmp_path.iterdir()))
        answer = detect(FolderTree(tmp_path, names), SOURCES.values())
        return answer and (answer[0].name, dict(answer[1].parts), answer[1].is_sure)

    return look


@pytest.mark.parametrize("fields", [{}, {"producer_name": "p" * 200}, {"doc_string": "d" * 9_000}], ids=str)
@pytest.mark.parametrize("name", ["net_dot_onnx", "net_dot_pb", "model"])
def test_an_onnx_model_is_one_under_any_name(found, name, fields):
    path = name.replace("_dot_", ".")
    assert found(**{name: onnx_bytes(**fields)}) == ("onnx", {"model": path}, True)


def test_what_lost_its_end_is_told_by_its_name_alone(found):
    assert found(net_dot_onnx=onnx_bytes()[:40]) == ("onnx", {"model": "net.onnx"}, False)


def test_an_onnx_model_that_lost_its_end_and_its_name_is_none(found):
    assert found(net=onnx_bytes()[:40]) is None


@pytest.mark.parametrize("name", ["best_dot_pt", "best_dot_zip", "best"])
def test_a_checkpoint_is_one_under_any_name(found, name):
    assert found(**{name: CHECKPOINT}) == ("pytorch-state-dict", {"weights": name.replace("_dot_", ".")}, True)


def saved(content, protocol=2):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("best/data.pkl", pickle.dumps(content, protocol=protocol))
        archive.writestr("best/version", b"3")
    return file.getvalue()


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({"epoch": 3}, "pytorch-state-dict"),
        (OrderedDict(a=1), "pytorch-state-dict"),
        (types.SimpleNamespace(a=1), "pytorch-module"),
    ],
)
def test_a_module_that_was_saved_whole_is_told_from_weights(found, content, name, protocol):
    assert found(best_dot_pt=saved(content, protocol))[0] == name


@pytest.mark.parametrize(
    ("content", "name"), [(SCRIPT, "torchscript"), (PROGRAM, "pytorch-export"), (SAFETENSORS, "safetensors")]
)
@pytest.mark.parametrize("path", ["best_dot_pt", "best_dot_zip", "best"])
def test_the_forms_of_pytorch_are_told_by_content(found, path, content, name):
    assert found(**{path: content})[::2] == (name, True)


@pytest.mark.parametrize("content", [COMPILED, (1 << 40).to_bytes(8, "little") + b"{}"])
def test_what_only_looks_like_one_is_none(found, content):
    assert found(best=content) is None


def test_an_archive_that_zipfile_does_not_read_is_none(found):
    content = bytearray(PROGRAM)
    content[content.index(b"PK\x01\x02") + 6] = 200  # the version that reading it takes
    assert found(best=bytes(content)) is None


def test_an_index_and_its_files_are_one_model(found):
    files = {f"model-0000{number}-of-00002_dot_safetensors": SAFETENSORS for number in (1, 2)}
    index = {"model_dot_safetensors_dot_index_dot_json": b"{}"}
    assert found(**files, **index)[1] == {"weights": "model.safetensors.index.json"}


def test_weights_beside_their_configuration_are_no_model_of_their_own(found):
    weights = {
        "pytorch_model_dot_bin": CHECKPOINT,
        "model_dot_safetensors": SAFETENSORS,
        "optimizer_dot_pt": CHECKPOINT,
    }
    name, parts, is_sure = found(config_dot_json=CONFIG, **weights)
    assert (name, parts["config"], parts["weights"], is_sure) == (
        "huggingface",
        "config.json",
        "model.safetensors",
        True,
    )


TOKENIZER = b'{"version":"1.0","truncation":{"max_length":128,"strategy":"LongestFirst","stride":0},"padding":null}'
"""As every folder of Hugging Face's has it beside the model."""
LEARNER = b'{"version":[2,1,4],"learner":{"attributes":{}}}'


def test_what_lies_beside_a_model_of_hugging_face_is_none(found):
    files = {"tokenizer_dot_json": TOKENIZER, "vocab_dot_txt": b"[PAD]\n[UNK]\n", "merges_dot_txt": b"#version: 0.2\n"}
    assert found(config_dot_json=CONFIG, model_dot_safetensors=SAFETENSORS, **files)[0] == "huggingface"


@pytest.mark.parametrize("content", [LEARNER, b'{"learner": {"attributes": {}}}', b"{L\0\0\0\0\0\0\0\x07version[#L"])
def test_xgboost_is_told_by_either_of_its_keys(found, content):
    assert found(model_dot_json=content)[0] == "xgboost"


def test_a_configuration_of_another_library_makes_no_folder(found):
    assert found(config_dot_json=b"{}", model_dot_safetensors=SAFETENSORS)[0] == "safetensors"


def test_weights_that_lost_their_end_are_told_by_their_name_alone(found):
    assert found(best_dot_pt=CHECKPOINT[:60]) == ("pytorch-state-dict", {"weights": "best.pt"}, False)


@pytest.mark.parametrize("name", ["net_dot_zip", "net_dot_bin", "net_dot_pt"])
def test_another_frameworks_archive_is_no_checkpoint(found, name):
    assert found(**{name: DL4J})[0] == "dl4j"


@pytest.mark.parametrize(
    "content", [b"", b"\x08", b"\x08\x07", b"\x08" * 900, b"a text", b"\x80\x02}q\x00.", TENSOR, SAVED_MODEL]
)
def test_what_is_nothing_is_nothing(found, content):
    assert found(file=content) is None


def test_what_content_says_outweighs_a_name(found):
    assert found(a_dot_onnx=onnx_bytes()[:40], b_dot_pt=CHECKPOINT) == ("pytorch-state-dict", {"weights": "b.pt"}, True)


def test_two_that_are_sure_are_a_question(found):
    with pytest.raises(ModelportError, match=r"onnx \(a.onnx\); pytorch-state-dict \(b.pt\); state which") as caught:
        found(a_dot_onnx=onnx_bytes(), b_dot_pt=CHECKPOINT)
    assert caught.value.reason is Reason.AMBIGUOUS_FORMAT


@pytest.mark.parametrize(
    ("content", "asked", "whole"),
    [
        (CHECKPOINT, None, True),
        (CHECKPOINT, "pytorch-state-dict", True),
        (CHECKPOINT, "onnx", False),
        (DL4J, None, True),
        (STRAY, None, False),
        (zip_bytes("data/data.pkl", "data/readme.txt"), None, False),
        (zip_bytes("net.onnx"), None, False),
    ],
)
def test_an_archive_is_a_model_if_a_format_claims_it_whole(tmp_path, content, asked, whole):
    (tmp_path / "net.zip").write_bytes(content)
    assert is_packed("source", tmp_path / "net.zip", asked) is not whole


@pytest.mark.parametrize(
    ("files", "name", "part"),
    [
        ({"net": onnx_bytes(), "README.md": b"about"}, "onnx", "model"),
        ({"net.onnx": onnx_bytes(), "._net.onnx": b"\0\5\x16\7" * 20}, "onnx", "model"),
        ({"net.onnx": onnx_bytes(), "other": onnx_bytes()}, "onnx", "model"),
        ({"net.bin": CHECKPOINT, "config.json": b"{}", "a.pt": b""}, "pytorch-state-dict", "weights"),
        ({"net": b"whatever it is"}, "onnx", "model"),
    ],
)
def test_the_file_that_was_detected_is_the_one_that_is_read(tmp_path, files, name, part):
    for path, content in files.items():
        (tmp_path / path).write_bytes(content)
    assert find_part(open_tree(tmp_path), name, part).name.startswith("net")


@pytest.mark.parametrize(
    ("files", "name", "part", "reason"),
    [
        ({"a.onnx": onnx_bytes(), "b.onnx": onnx_bytes()}, "onnx", "model", Reason.AMBIGUOUS_FORMAT),
        ({"a.pt": CHECKPOINT, "b.pt": CHECKPOINT}, "pytorch-state-dict", "weights", Reason.AMBIGUOUS_FORMAT),
        ({"a.onnx": b"", "b.pt": b""}, "onnx", "model", Reason.SOURCE_CORRUPT),
        ({}, "onnx", "model", Reason.SOURCE_CORRUPT),
    ],
)
def test_a_choice_between_models_is_told(tmp_path, files, name, part, reason):
    for path, content in files.items():
        (tmp_path / path).write_bytes(content)
    with pytest.raises(ModelportError, match=", ".join(files) or "no file") as caught:
        find_part(open_tree(tmp_path), name, part)
    assert caught.value.reason is reason


def test_links_are_not_followed(tmp_path):
    (tmp_path / "net.onnx").symlink_to("/proc/self/environ")
    with pytest.raises((ModelportError, OSError)):
        detect(FolderTree(tmp_path, ("net.onnx",)), SOURCES.values())


def test_the_model_need_not_be_read_as_a_whole(tmp_path):
    tensor = helper.make_tensor("w", TensorProto.FLOAT, [500_000], b"\0" * 2_000_000, raw=True)
    value = helper.make_tensor_value_info("w", TensorProto.FLOAT, [500_000])
    graph = helper.make_graph([], "net", [], [value], initializer=[tensor])
    (tmp_path / "net").write_bytes(onnx.helper.make_model(graph).SerializeToString())

    class Counting(FolderTree):
        __slots__ = ()
        taken = 0

        def read(self, path, offset=0):
            content = super().read(path, offset)
            Counting.taken += len(content)
            return content

    assert detect(Counting(tmp_path, ("net",)), SOURCES.values())[0].name == "onnx"
    assert Counting.taken < 200_000  # a head for each format
