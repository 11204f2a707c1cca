"""References as files: round trips, and files that someone else made."""

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.reference import Reference, Sample, read_reference, write_reference

RANDOM = np.random.default_rng(0)


def outputs(batch: int):
    return {"b": RANDOM.random((batch, 2), np.float32), "a": np.arange(batch), "empty": np.zeros((0, 4))}


def inputs(batch: int):
    return {"image": RANDOM.random((batch, 3), np.float32), "mask/é": np.ones((batch,), np.int64)}


def reference() -> Reference:
    state = {"state": np.zeros((1, 2), np.float32)}
    samples = (
        Sample((inputs(1) | state, inputs(1)), (outputs(1), outputs(1)), ((outputs(1), outputs(1)),) * 2),
        Sample((inputs(3) | state,), (outputs(3),), is_edge=True),
    )
    return Reference(samples, "float16", {"batch": (1, 3)}, ("dimension time: ends at 40",))


def equal(ones, others) -> bool:
    return len(ones) == len(others) and all(
        list(one) == list(other)
        and all(one[name].dtype == other[name].dtype and np.array_equal(one[name], other[name]) for name in one)
        for one, other in zip(ones, others, strict=True)
    )


def test_a_reference_comes_back_with_names_order_and_types(tmp_path):
    written = reference()
    write_reference(tmp_path / "reference.npz", written)
    read = read_reference(tmp_path / "reference.npz")
    assert (read.precision, read.lengths, read.caveats) == (written.precision, written.lengths, written.caveats)
    for one, other in zip(written.samples, read.samples, strict=True):
        assert equal(one.inputs, other.inputs)
        assert equal(one.outputs, other.outputs)
        assert len(one.repeats) == len(other.repeats)
        assert all(equal(*pair) for pair in zip(one.repeats, other.repeats, strict=True))
    assert [len(each) for each in (read.usual, read.edges)] == [1, 1]


def test_calls_after_the_first_have_no_states(tmp_path):
    write_reference(tmp_path / "reference.npz", reference())
    first, second = read_reference(tmp_path / "reference.npz").usual[0].inputs
    assert "state" in first
    assert "state" not in second


def test_equal_references_make_equal_bytes(tmp_path):
    written = reference()
    for name in ("a.npz", "b.npz"):
        write_reference(tmp_path / name, written)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize(
    "array",
    [np.array([["red"], ["blue"]], object), np.array([True, False]), np.array(3.5), np.arange(3, dtype=np.uint8)],
    ids=["strings", "bool", "scalar", "bytes"],
)
def test_every_type_comes_back(tmp_path, array):
    write_reference(tmp_path / "reference.npz", Reference((Sample(({"x": array},), ({"y": array},)),)))
    (sample,) = read_reference(tmp_path / "reference.npz").samples
    for found in (sample.inputs[0]["x"], sample.outputs[0]["y"]):
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)


def test_bfloat16_comes_back(tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = np.arange(4).astype(ml_dtypes.bfloat16)
    write_reference(tmp_path / "reference.npz", Reference((Sample(({"x": array},), ({"y": array},)),)))
    found = read_reference(tmp_path / "reference.npz").samples[0].outputs[0]["y"]
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)


def _npy(array, **options) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, **options)
    return buffer.getvalue()


def _huge_header() -> bytes:
    return _npy(np.zeros(1)).replace(b"(1,), }        ", b"(1000000000,), }")


@pytest.mark.parametrize(
    ("members", "compression"),
    [
        ({"index.npy": _npy(np.array([{}], object), allow_pickle=True)}, zipfile.ZIP_STORED),
        ({"index.npy": _npy(np.zeros(1 << 20, np.uint8))}, zipfile.ZIP_DEFLATED),
        ({"index.npy": _huge_header()}, zipfile.ZIP_STORED),
        ({"index.npy": _npy(np.frombuffer(b"{}", np.uint8))}, zipfile.ZIP_STORED),
        ({"index.npy": b"nonsense"}, zipfile.ZIP_STORED),
        ({"other.npy": _npy(np.zeros(1))}, zipfile.ZIP_STORED),
        ({}, zipfile.ZIP_STORED),
    ],
    ids=["pickle", "compressed", "header", "index", "nonsense", "no index", "empty"],
)
def test_what_we_did_not_write_is_refused(tmp_path, members, compression):
    path = tmp_path / "reference.npz"
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(ModelportError) as caught:
        read_reference(path)
    assert caught.value.reason == Reason.CONVERSION_FAILED


def _npy_of(header: str, body: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + body


HOSTILE_ARRAYS = {
    "nested": _npy_of("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "-" * 9_000 + "1,)}"),
    "length of a truth": _npy_of("{'descr': '<f4', 'fortran_order': False, 'shape': (True,)}", b"1234"),
    "no character": _npy_of("{'descr': '<U1', 'fortran_order': False, 'shape': (1,)}", b"\xff\xff\xff\xff"),
    "no end": _npy_of("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 1 << 62)}"),
}


@pytest.mark.parametrize("member", HOSTILE_ARRAYS.values(), ids=HOSTILE_ARRAYS)
def test_arrays_that_break_a_parser_are_refused(tmp_path, member):
    path = tmp_path / "reference.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("index.npy", _npy(np.frombuffer(b"{}", np.uint8)))
        archive.writestr("0.in.0.0.npy", member)
    with pytest.raises(ModelportError) as caught:
        read_reference(path)
    assert caught.value.reason == Reason.CONVERSION_FAILED


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4))
def test_any_byte_may_be_another(tmp_path_factory, changes):
    path = tmp_path_factory.mktemp("changed") / "reference.npz"
    write_reference(path, Reference((Sample(({"x": np.zeros(1)},), ({"y": np.zeros(1)},)),)))
    content = bytearray(path.read_bytes())
    for place, byte in changes:
        content[place % len(content)] = byte
    path.write_bytes(content)
    try:
        assert read_reference(path).samples
    except ModelportError as error:
        reason = error.reason
    else:
        return  # a number, or what nobody reads
    assert reason == Reason.CONVERSION_FAILED


@pytest.mark.parametrize(("outputs", "told"), [("", "without an answer"), ('"y"', "0.out.1.0")])
def test_calls_that_no_array_bears_out_are_refused(tmp_path, outputs, told):
    described = '{"calls": 1000000, "repeats": 0, "isEdge": false}'
    index = f'{{"inputs": [], "states": [], "outputs": [{outputs}], "samples": [{described}], "precision": "float32", '
    index += '"lengths": {}, "caveats": []}'
    arrays = {"index": np.frombuffer(index.encode(), np.uint8), "0.out.0.0": np.zeros(1)}
    np.savez(tmp_path / "reference.npz", **arrays)
    tracemalloc.start()
    with pytest.raises(ModelportError, match=told):
        read_reference(tmp_path / "reference.npz")
    assert tracemalloc.get_traced_memory()[1] < 4_000_000, "else they were made before they were missed"
    tracemalloc.stop()


def test_a_reference_of_edges_alone_is_refused(tmp_path):
    written = reference()
    write_reference(tmp_path / "reference.npz", written._replace(samples=written.edges))
    with pytest.raises(ModelportError, match="no samples"):
        read_reference(tmp_path / "reference.npz")


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "reference.npz"
    write_reference(path, reference())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelportError):
        read_reference(path)


def test_a_link_is_not_followed(tmp_path):
    write_reference(tmp_path / "elsewhere.npz", reference())
    (tmp_path / "reference.npz").symlink_to("elsewhere.npz")
    with pytest.raises(ModelportError) as caught:
        read_reference(tmp_path / "reference.npz")
    assert caught.value.reason == Reason.UNSAFE_SOURCE
