"""Theano's pickles, told and looked at without Theano: nothing in them is called."""

import io
import lzma
import pickle
import struct
from pathlib import Path

import pytest

from modelport.api.reasons import Reason
from modelport.conversion.detection import detect
from modelport.errors import ModelportError
from modelport.frameworks import SOURCES
from modelport.frameworks.mxnet.theano import read_modules
from modelport.storage.trees import FolderTree
from modelport_converter.frameworks.mxnet.theano.inspect import inspect

FILES = Path(__file__).parents[3] / "converters" / "mxnet" / "theano_files"
FORMAT = "theano-function"
FUNCTION = b"ctheano.compile.function_module\n_constructor_Function\n"
TEXT = b"S'\\x00\xe9\\xff'\np0\n."  # bytes as Python 2 writes them in protocol 0
KINDS = {
    "protocol 0": b"(" + FUNCTION + TEXT,
    "protocol 2": b"\x80\x02" + FUNCTION + b".",
    "protocol 4": b"\x80\x04\x8c\x1etheano.compile.function_module\x94\x8c\x15_constructor_Function\x94\x93\x94.",
    "layers": b"\x80\x02clasagne.layers.dense\nDenseLayer\n.",
}


def place(tmp_path, content, name="net.pkl"):
    (tmp_path / name).write_bytes(content)
    return FolderTree(tmp_path, (name,))


@pytest.mark.parametrize("kind", KINDS)
def test_a_pickle_is_told_by_the_classes_that_it_names(tmp_path, kind):
    found = detect(place(tmp_path, KINDS[kind], "net.save"), SOURCES.values())
    assert found is not None
    assert found[0].name == FORMAT
    assert inspect(tmp_path, ["net.save"], FORMAT) is None


@pytest.mark.parametrize("path", sorted(FILES.glob("*.xz")), ids=lambda path: path.name)
def test_files_of_old_versions_are_told(tmp_path, path):
    found = detect(place(tmp_path, lzma.decompress(path.read_bytes())), SOURCES.values())
    assert found is not None
    assert found[0].name == FORMAT
    assert inspect(tmp_path, ["net.pkl"], FORMAT) is None


@pytest.mark.parametrize(
    "content", [pickle.dumps({"theano.": [1, 2]}), pickle.dumps(Path("x")), b"(theano.", b"theano."]
)
def test_what_only_speaks_of_theano_is_not_told(tmp_path, content):
    found = detect(place(tmp_path, content), SOURCES.values())
    assert found is None or found[0].name != FORMAT  # another one may guess by the suffix


DAMAGED = {
    "cut": b"\x80\x02" + FUNCTION,
    "a length of gigabytes": b"\x80\x04" + FUNCTION + b"\x8e" + struct.pack("<Q", 1 << 60) + b"x.",
    "an object under a number of gigabytes": b"\x80\x02" + FUNCTION + b"r" + struct.pack("<I", 1 << 31) + b".",
    "a string without an end": b"(" + FUNCTION + b"S'\\x00",
    "no step": b"\x80\x02" + FUNCTION + b"\xff.",
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_pickles_are_told_before_they_are_opened(tmp_path, kind):
    place(tmp_path, DAMAGED[kind])
    with pytest.raises(ModelportError, match="expected a whole pickle") as caught:
        inspect(tmp_path, ["net.pkl"], FORMAT)
    assert caught.value.reason == Reason.SOURCE_CORRUPT


@pytest.mark.parametrize("module", ["aesara.tensor.var", "pytensor.graph.basic", "theano.graph.basic"])
def test_successors_are_refused_by_name(tmp_path, module):
    place(tmp_path, b"\x80\x02c" + module.encode() + b"\nApply\n.")
    with pytest.raises(ModelportError, match=f"{module} is of a successor of Theano") as caught:
        inspect(tmp_path, ["net.pkl"], FORMAT)
    assert caught.value.reason == Reason.CONVERSION_FAILED


def test_modules_are_all_that_is_read():
    content = KINDS["protocol 4"]
    assert list(read_modules(io.BytesIO(content), len(content))) == ["theano.compile.function_module"]
