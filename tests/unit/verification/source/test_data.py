"""Samples of the user's own: read without pickles, cut into samples, refused where they do not fit."""

import io
import zipfile

import numpy as np
import pytest

from modelport.api.reasons import Reason
from modelport.api.spec import DimensionRange, Input
from modelport.errors import ModelportError
from modelport.verification.source.data import read_data

IMAGE = Input(name="image", shape=["batch", 3, "height", "width"])
LABEL = Input(name="label", dtype="int64", shape=["batch"])
RANDOM = np.random.default_rng(0)


def test_an_npz_is_cut_into_samples_of_a_few_rows(tmp_path):
    images, labels = RANDOM.random((20, 3, 4, 5), np.float32), np.arange(20)
    np.savez(tmp_path / "samples.npz", image=images, label=labels)
    samples = read_data(tmp_path, [IMAGE, LABEL])
    assert [len(sample["image"]) for sample in samples] == [8, 8, 4]
    np.testing.assert_array_equal(np.concatenate([sample["image"] for sample in samples]), images)
    np.testing.assert_array_equal(np.concatenate([sample["label"] for sample in samples]), labels)


def test_a_compressed_npz_is_read(tmp_path):
    np.savez_compressed(tmp_path / "samples.npz", label=np.arange(3))
    (sample,) = read_data(tmp_path, [LABEL])
    assert sample["label"].tolist() == [0, 1, 2]


def test_a_folder_of_npy_files_is_named_after_the_inputs(tmp_path):
    np.save(tmp_path / "label.npy", np.arange(9))
    np.save(tmp_path / "image.npy", RANDOM.random((9, 3, 2, 2), np.float32))
    samples = read_data(tmp_path, [IMAGE, LABEL])
    assert [sample["label"].tolist() for sample in samples] == [list(range(8)), [8]]


def test_a_fixed_batch_is_cut_into_whole_ones(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(14, dtype=np.float32).reshape(7, 2))
    samples = read_data(tmp_path, [Input(name="x", shape=[3, 2])])
    assert [sample["x"][:, 0].tolist() for sample in samples] == [[0, 2, 4], [6, 8, 10]]


def test_what_has_no_batch_is_asked_with_every_sample(tmp_path):
    np.savez(
        tmp_path / "s.npz", x=np.zeros((10, 2), np.float32), rate=np.array(16_000), table=np.ones((4, 2), np.float32)
    )
    inputs = [
        Input(name="x", shape=["batch", 2]),
        Input(name="rate", dtype="int64", shape=[]),
        Input(name="table", shape=[4, 2]),
    ]
    samples = read_data(tmp_path, inputs)
    assert [(sample["x"].shape, int(sample["rate"]), sample["table"].shape) for sample in samples] == [
        ((8, 2), 16_000, (4, 2)),
        ((2, 2), 16_000, (4, 2)),
    ]


def test_a_batch_on_the_second_axis_is_cut_there(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((5, 9, 2), np.float32))
    samples = read_data(tmp_path, [Input(name="x", shape=[5, "batch", 2])])
    assert [sample["x"].shape for sample in samples] == [(5, 8, 2), (5, 1, 2)]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (DimensionRange(max=3), [3, 3, 3, 1]),
        (DimensionRange(min=4), [8]),
        (DimensionRange(multiple_of=4), [8]),
        (DimensionRange(min=10), [10]),
    ],
)
def test_samples_keep_the_limits_of_the_batch(tmp_path, limits, expected):
    np.save(tmp_path / "label.npy", np.arange(10))
    samples = read_data(tmp_path, [LABEL], {"batch": limits})
    assert [len(sample["label"]) for sample in samples] == expected


def test_many_rows_are_taken_evenly_from_first_to_last(tmp_path):
    np.save(tmp_path / "label.npy", np.arange(80_000))
    samples = read_data(tmp_path, [LABEL])
    assert len(samples) == 128
    assert samples[0]["label"][0] == 0
    assert samples[-1]["label"][-1] == 79_999


def test_strings_are_read(tmp_path):
    np.savez(tmp_path / "s.npz", colour=np.array([["red"], ["blue"]]))
    (sample,) = read_data(tmp_path, [Input(name="colour", dtype="string", shape=["batch", 1])])
    assert sample["colour"].dtype == object
    assert sample["colour"].tolist() == [["red"], ["blue"]]


def test_types_are_cast_where_nothing_is_lost(tmp_path):
    np.save(tmp_path / "x.npy", np.array([[0, 255], [1, 2]]))
    (sample,) = read_data(tmp_path, [Input(name="x", dtype="uint8", shape=["batch", 2])])
    assert sample["x"].dtype == np.uint8
    (sample,) = read_data(tmp_path, [Input(name="x", shape=["batch", 2])])
    assert sample["x"].dtype == np.float32


@pytest.mark.parametrize(
    ("array", "each", "words"),
    [
        (np.array([[0.1]]), Input(name="x", shape=["batch", 1]), r"expected float32\['batch', 1\], found float64"),
        (np.array([[256]]), Input(name="x", dtype="uint8", shape=["batch", 1]), "expected uint8"),
        (np.array([[-1]]), Input(name="x", dtype="uint64", shape=["batch", 1]), "expected uint64"),
        (np.array([1.0], np.float32), Input(name="x", shape=["batch", 1]), r"found float32\[1\]"),
        (np.zeros((2, 5), np.float32), Input(name="x", shape=["batch", 4]), "with 4 = 4, found"),
        (np.zeros((2, 5), np.float32), Input(name="y", shape=["batch", 5]), "expected the arrays y, found x"),
        (np.zeros((0, 4), np.float32), Input(name="x", shape=["batch", 4]), "found no rows"),
        (np.array([["a"]]), Input(name="x", shape=["batch", 1]), "expected float32"),
        (np.array([[1]]), Input(name="x", dtype="string", shape=["batch", 1]), "expected string"),
    ],
)
def test_what_does_not_fit_is_told_with_what_was_found(tmp_path, array, each, words):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(ModelportError, match=words) as caught:
        read_data(tmp_path, [each])
    assert caught.value.reason == Reason.INVALID_SPEC


def test_inputs_of_other_numbers_of_rows_are_told(tmp_path):
    np.savez(tmp_path / "s.npz", image=np.zeros((4, 3, 2, 2), np.float32), label=np.arange(5))
    with pytest.raises(ModelportError, match="image 4, label 5"):
        read_data(tmp_path, [IMAGE, LABEL])


def npy(array, **options) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        npy(np.array([{}], object), allow_pickle=True),
        npy(np.zeros(1)).replace(b"(1,), }        ", b"(1000000000,), }"),
        npy(np.zeros(2, complex)),
        b"nonsense",
    ],
    ids=["pickle", "header", "complex", "nonsense"],
)
@pytest.mark.parametrize("is_packed", [False, True])
def test_files_that_are_no_plain_arrays_are_refused(tmp_path, content, is_packed):
    if is_packed:
        with zipfile.ZipFile(tmp_path / "s.npz", "w") as archive:
            archive.writestr("label.npy", content)
    else:
        (tmp_path / "label.npy").write_bytes(content)
    with pytest.raises(ModelportError) as caught:
        read_data(tmp_path, [LABEL])
    assert caught.value.reason == Reason.SAMPLES_NEEDED


def test_an_npz_that_unpacks_into_too_much_is_refused(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "s.npz", label=np.zeros(100_000, np.int64))
    monkeypatch.setattr("modelport.verification.source.data.MAX_BYTES", 500_000)
    with pytest.raises(ModelportError, match="at most"):
        read_data(tmp_path, [LABEL])


def test_an_npz_with_too_long_a_list_of_arrays_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "s.npz", "w") as archive:
        archive.writestr("x.npy", npy(np.zeros(1)))
        archive.filelist.extend(archive.filelist * 100_000)
    with pytest.raises(ModelportError, match="more than is read") as failed:
        read_data(tmp_path, [Input(name="x", shape=[1])])
    assert failed.value.reason is Reason.UNSAFE_SOURCE


def test_a_link_is_not_followed(tmp_path):
    np.save(tmp_path.parent / "elsewhere.npy", np.arange(3))
    (tmp_path / "label.npy").symlink_to(tmp_path.parent / "elsewhere.npy")
    with pytest.raises(ModelportError) as caught:
        read_data(tmp_path, [LABEL])
    assert caught.value.reason == Reason.UNSAFE_SOURCE


@pytest.mark.parametrize("files", [[], ["a.csv"], ["a.npz", "b.npz"]])
def test_other_files_are_told(tmp_path, files):
    for name in files:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ModelportError, match="expected one npz") as caught:
        read_data(tmp_path, [LABEL])
    assert caught.value.reason == Reason.SAMPLES_NEEDED


def test_what_is_no_parquet_is_told(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(ModelportError, match="no parquet") as caught:
        read_data(tmp_path, [LABEL])
    assert caught.value.reason == Reason.SAMPLES_NEEDED


def write_table(path, **columns):
    core, table_io = pytest.importorskip("arro3.core"), pytest.importorskip("arro3.io")
    arrays = {
        name: core.Array.from_numpy(values) if kind is None else core.Array(values, type=kind(core.DataType))
        for name, (values, kind) in columns.items()
    }
    table_io.write_parquet(core.Table.from_pydict(arrays), str(path))


def test_columns_of_a_table_are_named_after_the_inputs(tmp_path):
    write_table(tmp_path / "t.parquet", age=(np.arange(3.0), None), count=(np.arange(3), None))
    inputs = [
        Input(name="age", dtype="float64", shape=["batch", 1]),
        Input(name="count", dtype="int64", shape=["batch"]),
    ]
    (sample,) = read_data(tmp_path, inputs)
    assert sample["age"].tolist() == [[0], [1], [2]]
    assert sample["count"].tolist() == [0, 1, 2]


def test_columns_of_a_table_are_one_input_in_their_order(tmp_path):
    write_table(tmp_path / "t.parquet", b=(np.arange(3.0), None), a=(np.arange(3.0) + 10, None))
    (sample,) = read_data(tmp_path, [Input(name="x", dtype="float64", shape=["batch", 2])])
    assert sample["x"].tolist() == [[0, 10], [1, 11], [2, 12]]


def test_missing_numbers_of_a_table_are_nan(tmp_path):
    write_table(tmp_path / "t.parquet", x=([1.5, None, 2.5], lambda types: types.float64()))
    (sample,) = read_data(tmp_path, [Input(name="x", dtype="float64", shape=["batch"])])
    np.testing.assert_array_equal(sample["x"], [1.5, np.nan, 2.5])


def test_a_broken_table_is_told(tmp_path):
    pytest.importorskip("arro3.io")
    (tmp_path / "t.parquet").write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    with pytest.raises(ModelportError, match=r"found: t\.parquet: ") as caught:
        read_data(tmp_path, [LABEL])
    assert caught.value.reason == Reason.SAMPLES_NEEDED
