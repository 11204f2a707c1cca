"""Operators of Paddle that are written without paddle2onnx, in programs of one operator each: ONNX Runtime answers what numpy does."""

import numpy as np
import onnxruntime
import pytest

from converters.paddle.paddle_programs import program, write
from modelport.errors import ModelportError
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.paddle.exporting.cutting import write_program
from modelport_converter.frameworks.paddle.files import read_files
from modelport_converter.frameworks.paddle.operators.all import WRITERS

RANDOM = np.random.default_rng(4)
VALUE = RANDOM.normal(size=(2, 4, 3)).astype(np.float32)
ROWS = np.arange(6, dtype=np.float32).reshape(2, 3)
ENDLESS = 2**31 - 1


@pytest.fixture
def answer(tmp_path):
    """Return what an operator's model answers: outputs and inputs by slot, each an array or its shape; all lengths may be free."""

    def ask(kind, attributes, given, made, shape=None):
        inputs = {slot.lower(): (str(array.dtype), shape or array.shape) for slot, array in given.items()}
        outputs = {f"{slot.lower()}_made": described for slot, described in made.items()}
        operator = (
            kind,
            {slot: [slot.lower()] for slot in given},
            {slot: [f"{slot.lower()}_made"] for slot in made},
            attributes,
        )
        content = program(inputs, outputs, {}, [operator])
        files = read_files(open_tree(write(tmp_path, content, {})), "paddle")
        model = write_program(files, content, None, "paddle", WRITERS)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        return session.run(None, {slot.lower(): array for slot, array in given.items()})

    return ask


@pytest.mark.parametrize(
    ("index", "told", "new"),
    [
        ((slice(None), 1), {"axes": [1], "starts": [1], "ends": [2], "decrease_axes": [1]}, 5.0),
        ((slice(None), slice(0, None, 2)), {"axes": [1], "starts": [0], "ends": [ENDLESS], "steps": [2]}, 2.0),
        (
            (-1, slice(1, 3)),
            {"axes": [0, 1], "starts": [-1, 1], "ends": [ENDLESS, 3], "steps": [1, 1], "decrease_axes": [0]},
            ROWS,
        ),
        ((Ellipsis, slice(1, 3)), {"axes": [2], "starts": [1], "ends": [3]}, ROWS[:1, :2]),
    ],
)
def test_parts_are_replaced(answer, index, told, new):
    is_one = isinstance(new, float)
    attributes = {"steps": [1], **told, **({"shape": [1], "fp32_values": [new]} if is_one else {})}
    given = {"Input": VALUE} if is_one else {"Input": VALUE, "ValueTensor": new}
    (found,) = answer("set_value", attributes, given, {"Out": ("float32", VALUE.shape)})
    right = VALUE.copy()
    right[index] = new
    np.testing.assert_array_equal(found, right)


def test_a_part_that_is_replaced_backwards_is_refused_by_name(answer):
    told = {"axes": [1], "starts": [3], "ends": [0], "steps": [-1], "shape": [1], "fp32_values": [1.0]}
    with pytest.raises(ModelportError, match="operator set_value: expected steps above 0"):
        answer("set_value", told, {"Input": VALUE}, {"Out": ("float32", VALUE.shape)})


def test_each_element_is_there_once(answer):
    value = np.array([3, 1, 3, 2, 1])
    slots = ("Out", "Indices", "Index", "Counts")
    found = answer("unique", {"is_sorted": True}, {"X": value}, dict.fromkeys(slots, ("int64", (-1,))))
    right = np.unique(value, return_index=True, return_inverse=True, return_counts=True)
    for one, other in zip(found, right, strict=True):
        np.testing.assert_array_equal(one, other)


FREE = (-1, -1, -1)


@pytest.mark.parametrize(("shifts", "axis"), [([2], []), ([-9], [1]), ([1, -2], [0, 2])])
def test_what_is_rolled_out_comes_in_at_the_other_end(answer, shifts, axis):
    told = {"shifts": shifts, "axis": axis}
    (found,) = answer("roll", told, {"X": VALUE}, {"Out": ("float32", FREE)}, FREE)
    np.testing.assert_array_equal(found, np.roll(VALUE, shifts if axis else shifts[0], tuple(axis) or None))


def test_each_element_is_repeated(answer):
    told = {"Repeats": 3, "dim": 1}
    (found,) = answer("repeat_interleave", told, {"X": VALUE}, {"Out": ("float32", FREE)}, FREE)
    np.testing.assert_array_equal(found, VALUE.repeat(3, 1))


def test_a_value_is_tiled_along_new_axes(answer):
    told = {"repeat_times": [2, 1, 1, 3]}
    (found,) = answer("tile", told, {"X": VALUE}, {"Out": ("float32", (-1, *FREE))}, FREE)
    np.testing.assert_array_equal(found, np.tile(VALUE, (2, 1, 1, 3)))


def test_axes_longer_than_1_are_not_left_out(answer):
    value = VALUE[:, :1].copy()
    (found,) = answer("squeeze2", {"axes": [1, -1]}, {"X": value}, {"Out": ("float32", (2, 3))}, (-1, 1, 3))
    np.testing.assert_array_equal(found, value[:, 0])


def test_leaving_out_an_axis_of_a_free_length_is_refused_by_name(answer):
    with pytest.raises(
        ModelportError, match=r"operator squeeze2: expected axes of the length 1, .* found axis 0 of a free"
    ):
        answer("squeeze2", {"axes": [0]}, {"X": VALUE}, {"Out": ("float32", (4, 3))}, FREE)


def test_new_axes_are_counted_among_those_that_are_there_by_then(answer):
    (found,) = answer("unsqueeze2", {"axes": [-1, 0]}, {"X": VALUE}, {"Out": ("float32", (1, *FREE, 1))}, FREE)
    np.testing.assert_array_equal(found, VALUE[None, ..., None])


def test_a_norm_of_order_0_counts(answer):
    value = np.array([[1, 0, -2], [0, 0, np.nan]], np.float32)
    (found,) = answer("p_norm", {"porder": 0.0, "axis": 1}, {"X": value}, {"Out": ("float32", (2,))})
    assert found.tolist() == [2, 1]


def test_softmax_is_cut_off_as_paddle_does(answer):
    value = np.array([[-200, 1000, 1000], [0, 1, 2]], np.float32)
    (found,) = answer("log_softmax", {"axis": -1}, {"X": value}, {"Out": ("float32", (2, 3))})
    behind = np.maximum(value - value.max(1, keepdims=True), -64).astype(np.float64)
    np.testing.assert_allclose(found, behind - np.log(np.exp(behind).sum(1, keepdims=True)), rtol=1e-6)
    assert found[0, 0] == pytest.approx(-64.693146)  # what Paddle 3.3.1 answers


@pytest.mark.parametrize("order", [1.0, 2.0, np.inf, -np.inf])
def test_a_norm_of_all_elements(answer, order):
    told = {"porder": order, "asvector": True}
    (found,) = answer("p_norm", told, {"X": VALUE}, {"Out": ("float32", ())}, FREE)
    assert found.shape == ()
    np.testing.assert_allclose(found, np.linalg.norm(VALUE.ravel(), order), rtol=1e-6)


def test_expm1_is_a_number_far_below_zero(answer):
    value = np.array([-np.inf, -1e30, -200, -1, -1e-6, 0, 1e-6, 1, 88, np.inf], np.float32)
    (found,) = answer("expm1", {}, {"X": value}, {"Out": ("float32", (10,))})
    np.testing.assert_allclose(found, np.expm1(value), rtol=1e-6)


def test_the_logarithm_of_a_small_sigmoid_is_finite(answer):
    value = np.array([-1e30, -200, -12, 0, 3, 200], np.float32)
    (found,) = answer("logsigmoid", {}, {"X": value}, {"Out": ("float32", (6,))})
    np.testing.assert_allclose(found, -np.logaddexp(0, -value.astype(np.float64)), rtol=1e-6, atol=1e-30)


def test_a_vector_beside_a_turned_matrix_is_not_turned(answer):
    vector = VALUE[0, :, 0].copy()
    told = {"trans_x": True, "trans_y": True}
    (found,) = answer("matmul_v2", told, {"X": VALUE, "Y": vector}, {"Out": ("float32", (2, 3))})
    np.testing.assert_allclose(found, VALUE.transpose(0, 2, 1) @ vector, rtol=1e-5, atol=1e-6)


def test_what_is_padded_around_goes_on_at_the_other_end(answer):
    value = VALUE.reshape(1, 1, 2, 4, 3)
    told = {"mode": "circular", "paddings": [1, 2, 0, 3, 2, 0], "data_format": "NCDHW"}
    (found,) = answer("pad3d", told, {"X": value}, {"Out": ("float32", (1, 1, 4, 7, 6))})
    np.testing.assert_array_equal(found, np.pad(value, [(0, 0), (0, 0), (2, 0), (0, 3), (1, 2)], mode="wrap"))


def test_a_number_has_no_axes(answer):
    given = {"X": ROWS[0].copy(), "Y": ROWS[1].copy()}
    (found,) = answer("dot", {}, given, {"Out": ("float32", ())})
    assert (found.shape, float(found)) == ((), float(ROWS[0] @ ROWS[1]))


def test_the_larger_of_whole_numbers(answer):
    one, other = np.array([3, -1]), np.array([2, 5])
    (found,) = answer("elementwise_fmax", {}, {"X": one, "Y": other}, {"Out": ("int64", (2,))})
    assert found.tolist() == [3, 5]


@pytest.mark.parametrize(
    ("kind", "shape", "told"),
    [
        ("pool2d", (1, 2, 6, 6), {"ksize": [1, 3], "strides": [2, 2], "paddings": [0, 0], "ceil_mode": True}),
        ("pool2d", (1, 2, 5, 6), {"ksize": [3, 3], "strides": [3, 3], "paddings": [1, 1], "ceil_mode": True}),
        ("pool3d", (1, 2, 5, 5, 5), {"ksize": [2] * 3, "strides": [3] * 3, "paddings": [1] * 3, "ceil_mode": True}),
        ("pool2d", (1, 2, 6, 6), {"ksize": [1, 1], "strides": [3, 3], "padding_algorithm": "SAME", "paddings": [0, 0]}),
    ],
)
def test_windows_behind_the_end_are_refused_by_the_operators_name(answer, kind, shape, told):
    value = np.zeros(shape, np.float32)
    with pytest.raises(ModelportError, match=f"operator {kind}: expected windows as long as strides"):
        answer(kind, {"pooling_type": "max", **told}, {"X": value}, {"Out": ("float32", (1, 2))})
