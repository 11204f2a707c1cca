"""References and golden samples as files: round trips, and files that someone else made."""

import io
import zipfile

import numpy as np
import pytest

from modelport.contract import ModelportError
from modelport.reasons import Reason
from modelport.verification.golden import Golden, check_golden, choose_golden, read_golden, write_golden
from modelport.verification.reference import Answer, Floors, Reference, Sample, read_reference, write_reference


def reference() -> Reference:
    random = np.random.default_rng(0)

    def sample(batch: int) -> Sample:
        return Sample(
            {"image": random.random((batch, 3), np.float32), "mask/é": np.ones((batch,), np.int64)},
            Answer(
                {"b": random.random((batch, 2), np.float32), "a": np.arange(batch), "empty": np.zeros((0, 4))},
                {"b": random.random((batch, 2), np.float32)},
            ),
        )

    return Reference((sample(1), sample(3)), Floors({"b": 1e-7, "a": 0.0, "empty": float("inf")}, {"b": 2e-7}))


def equal(one, other) -> bool:
    return list(one) == list(other) and all(
        one[name].dtype == other[name].dtype and np.array_equal(one[name], other[name]) for name in one
    )


def test_a_reference_comes_back_with_names_order_and_types(tmp_path):
    written = reference()
    write_reference(tmp_path / "reference.npz", written)
    read = read_reference(tmp_path / "reference.npz")
    assert read.floors.logits == written.floors.logits
    for one, other in zip(written.samples, read.samples, strict=True):
        assert equal(one.inputs, other.inputs)
        assert equal(one.answer.outputs, other.answer.outputs)
        assert equal(one.answer.logits, other.answer.logits)


def test_equal_contents_make_equal_bytes(tmp_path):
    for name in ("a", "b"):
        write_golden(tmp_path / name, [Golden({"x": np.ones(3)}, {"y": np.ones(2)}, {"y": 1e-4})])
    assert (tmp_path / "a/0.npz").read_bytes() == (tmp_path / "b/0.npz").read_bytes()


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


def test_golden_samples_are_the_smallest_and_come_back(tmp_path):
    asked = [{"x": np.full(length, length)} for length in (4, 1, 3, 2)]
    golden = choose_golden(asked, [{"y": each["x"] * 2} for each in asked], {"y": 1e-5})
    assert [each.inputs["x"].size for each in golden] == [1, 2]
    assert golden[0].tolerances == {"y": pytest.approx(2e-4)}
    write_golden(tmp_path, golden)
    read = read_golden(tmp_path)
    assert all(equal(one.outputs, other.outputs) for one, other in zip(golden, read, strict=True))
    check_golden(read, lambda inputs: {"y": inputs["x"] * 2})


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: {"y": x * 2.01},
        lambda x: {"y": x * np.nan},
        lambda x: {"z": x * 2.0},
        lambda x: {"y": (x * 2.0).astype(np.float16)},
        lambda x: {"y": (x * 2.0)[None]},
    ],
)
def test_another_answer_is_a_golden_mismatch(wrong):
    golden = [Golden({"x": np.arange(4.0)}, {"y": np.arange(4.0) * 2}, {"y": 1e-4})]
    with pytest.raises(ModelportError) as caught:
        check_golden(golden, lambda inputs: wrong(inputs["x"]))
    assert caught.value.reason == Reason.GOLDEN_MISMATCH


def test_an_artifact_without_golden_samples_is_refused(tmp_path):
    with pytest.raises(ModelportError, match="found none"):
        read_golden(tmp_path)
