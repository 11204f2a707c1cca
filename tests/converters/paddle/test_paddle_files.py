"""Paddle's files, read without Paddle: signatures, damage, and what is refused by name."""

import json
import pickle

import numpy as np
import pytest

from converters.paddle.paddle_programs import combined, dense, program, tensor, write
from modelport.api.reasons import Reason
from modelport.conversion.detection import detect
from modelport.errors import ModelportError
from modelport.frameworks import SOURCES
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.paddle.inspect import inspect
from modelport_converter.frameworks.paddle.reading.weights import write_moved


def look(folder, form="paddle"):
    tree = open_tree(folder)
    found = detect(tree, SOURCES.values())
    assert found is not None
    assert found[0].name == form
    return inspect(folder, list(tree.paths), form)


def refused(folder, form="paddle"):
    with pytest.raises(ModelportError) as caught:
        look(folder, form)
    assert len(caught.value.message) <= 500
    return caught.value.reason, caught.value.message


def test_a_program_tells_inputs_outputs_and_free_lengths(tmp_path):
    signature = look(write(tmp_path, *dense((-1, -1))))
    assert [(each.name, each.dtype, each.shape) for each in signature.inputs] == [("x", "float32", ["batch", "x_1"])]
    assert [each.name for each in signature.outputs] == ["y", "h"]


def test_weights_have_a_file_under_any_name_or_a_file_each(tmp_path):
    content, weights = dense()
    for name, files in {
        "other": {"m.bin": content, "w.bin": combined(weights)},
        "oldest": {"__model__": content, **{key: tensor(array) for key, array in weights.items()}},
        "old": {"__model__": content, "__params__": combined(weights)},
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        for path, data in files.items():
            (folder / path).write_bytes(data)
        assert len(look(folder).inputs) == 1


def test_weights_that_are_lost_cut_or_of_another_model_are_named(tmp_path):
    content, weights = dense()
    folder = write(tmp_path / "lost", content, weights)
    (folder / "inference.pdiparams").unlink()
    assert refused(folder) == (Reason.SOURCE_CORRUPT, refused(folder)[1])
    assert "none for b, w" in refused(folder)[1]
    folder = write(tmp_path / "cut", content, weights)
    (folder / "inference.pdiparams").write_bytes(combined(weights)[:-4])
    assert "expected 24 bytes of weight w from 58, found 78 bytes; the file is truncated" in refused(folder)[1]
    folder = write(tmp_path / "long", content, weights)
    (folder / "inference.pdiparams").write_bytes(combined(weights) + b"more")
    assert "for 2 weights of the program" in refused(folder)[1]
    folder = write(tmp_path / "wrong", content, weights | {"w": np.zeros((5, 2), np.float32)})
    assert "expected weight w as float32 [3, 2], as the program says, found float32 [5, 2]" in refused(folder)[1]


@pytest.mark.parametrize("size", [0, 3, 40, 200])
def test_a_program_that_is_cut_is_corrupt(tmp_path, size):
    content, weights = dense()
    folder = write(tmp_path, content[:size], weights)
    with pytest.raises(ModelportError) as caught:
        inspect(folder, list(open_tree(folder).paths), "paddle")
    assert caught.value.reason == Reason.SOURCE_CORRUPT


def test_weights_alone_are_refused_with_what_to_do(tmp_path):
    (tmp_path / "model.pdparams").write_bytes(pickle.dumps({"w": np.zeros(2)}, protocol=2))
    reason, message = refused(tmp_path)
    assert (reason, "paddle.jit.save" in message) == (Reason.CONVERSION_FAILED, True)


def test_quantised_models_are_refused_by_the_operators_name(tmp_path):
    rounding = ("fake_quantize_dequantize_moving_average_abs_max", {"X": ["x"]}, {"Out": ["y"]}, {"bit_length": 8})
    content = program({"x": ("float32", (-1, 3))}, {"y": ("float32", (-1, 3))}, {}, [rounding])
    reason, message = refused(write(tmp_path, content, {}))
    assert (reason, rounding[0] in message) == (Reason.CONVERSION_FAILED, True)


@pytest.mark.parametrize("kind", ["gru", "sequence_pool", "crf_decoding"])
def test_sequences_one_behind_the_other_are_refused_by_the_operators_name(tmp_path, kind):
    described = {"x": ("float32", (-1, 3))}
    operator = (kind, {"Input": ["x"]}, {"Hidden": ["y"]}, {})
    reason, message = refused(write(tmp_path, program(described, {"y": ("float32", (-1, 3))}, {}, [operator]), {}))
    assert (reason, f"(lod_level): {kind};" in message) == (Reason.CONVERSION_FAILED, True)


def pir(operators):
    blocks = [{"#": "block_0", "args": [], "ops": operators}]
    head = {"magic": "pir", "trainable": True, "version": 1}
    return json.dumps({"base_code": head, "program": {"regions": [{"#": "region_0", "blocks": blocks}]}})


def described(number, *shape):
    return {"%": number, "TT": {"#": "0.t_dtensor", "D": [{"#": "0.t_f32"}, list(shape), "NCHW", [], 0]}}


def named(name, column=None):
    told = [{"AT": {"#": "0.a_str", "D": name}, "N": "name"}]
    return told if column is None else [*told, {"AT": {"#": "0.a_i32", "D": column}, "N": "col"}]


def put(tmp_path, lengths, kind="int64", shape=(2,)):
    """Write a program that puts numbers at places that are told."""
    inputs = {"x": ("float32", lengths), "at": (kind, shape), "new": ("float32", (1,))}
    taken = {"x": ["x"], "indices": ["at"], "value": ["new"]}
    content = program(inputs, {"y": ("float32", lengths)}, {}, [("index_put", taken, {"out": ["y"]}, {})])
    return write(tmp_path, content, {})


def test_places_on_an_axis_of_a_free_length_are_refused_by_the_operators_name(tmp_path):
    reason, message = refused(put(tmp_path, (-1, 6)))
    assert reason is Reason.CONVERSION_FAILED
    assert "operator index_put: expected places on axes of fixed lengths, found some on axis 0" in message


@pytest.mark.parametrize(("lengths", "kind", "shape"), [((4, 6), "int64", (2,)), ((-1, 6), "bool", (-1, 6))])
def test_places_that_every_question_has_are_read(tmp_path, lengths, kind, shape):
    assert [each.name for each in look(put(tmp_path, lengths, kind, shape)).outputs] == ["y"]


def test_programs_of_paddle_3_are_read_and_damage_is_told(tmp_path):
    data = {"#": "1.data", "A": named("x"), "I": [], "O": [described(1, -1, 4)], "OA": []}
    relu = {"#": "1.relu", "A": [], "I": [{"%": 1}], "O": [described(2, -1, 4)], "OA": []}
    fetch = {"#": "1.fetch", "A": named("y", 0), "I": [{"%": 2}], "O": [described(3, -1, 4)], "OA": []}
    path = tmp_path / "model.json"
    path.write_text(pir([data, relu, fetch]))
    signature = look(tmp_path, "paddle-json")
    assert [(each.name, each.shape) for each in (*signature.inputs, *signature.outputs)] == [
        ("x", ["batch", 4]),
        ("y", ["batch", 4]),
    ]
    path.write_text(pir([data, relu]))
    assert "which has outputs, found none" in refused(tmp_path, "paddle-json")[1]
    path.write_text(pir([data, {"#": "1.relu", "I": 7}, fetch]))
    assert refused(tmp_path, "paddle-json")[0] == Reason.SOURCE_CORRUPT
    path.write_text(pir([data, relu, fetch])[:-5])
    assert refused(tmp_path, "paddle-json")[0] == Reason.SOURCE_CORRUPT


def test_moved_weights_differ_by_one_unit_in_the_last_place(tmp_path):
    from modelport_converter.frameworks.paddle.files import read_files

    folder = write(tmp_path, *dense())
    files = read_files(open_tree(folder), "paddle")
    write_moved(files.weights, files.program.weights, folder / "moved")
    old, new = (np.frombuffer(path.read_bytes()[-24:], np.float32) for path in (files.weights, folder / "moved"))
    np.testing.assert_array_max_ulp(old, new, 1)
    assert (old != new).all()
