"""Fixed shapes of inputs: a free dimension is as long wherever it stands, and what cannot be is refused with names."""

import pytest

from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.conversion.shapes import fix_shapes
from modelport.errors import ModelportError

INPUTS = [
    Input(name="image", shape=["batch", 3, "side", "side"]),
    Input(name="scale", shape=["batch", 1]),
    Input(name="mode", shape=[]),
]


def shapes_of(**shapes):
    return [each.shape for each in fix_shapes(INPUTS, shapes)]


def test_nothing_stated_leaves_all_free():
    assert fix_shapes(INPUTS, {}) == INPUTS


def test_a_length_holds_wherever_its_dimension_stands():
    assert shapes_of(image=[2, 3, 8, 8]) == [[2, 3, 8, 8], [2, 1], []]


def test_what_no_shape_names_stays_free():
    assert shapes_of(scale=[4, 1]) == [[4, 3, "side", "side"], [4, 1], []]


def test_an_input_without_axes_has_the_empty_shape():
    assert shapes_of(mode=[]) == [each.shape for each in INPUTS]


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"picture": [1]}, r"spec.target.shapes.picture: the model has no such input, only image, scale, mode"),
        ({"image": [2, 4, 8, 8]}, r"shapes.image: expected \['batch', 3, 'side', 'side'\], found \[2, 4, 8, 8\]"),
        ({"image": [2, 3, 8]}, r"shapes.image: expected \['batch', 3, 'side', 'side'\], found \[2, 3, 8\]"),
        ({"image": []}, r"shapes.image: expected .*, found \[\]"),
        ({"mode": [1]}, r"shapes.mode: expected \[\], found \[1\]"),
        ({"image": [2, 3, 8, 9]}, r"shapes.image: expected .* with side = 8, found \[2, 3, 8, 9\]"),
        ({"scale": [0, 1]}, r"shapes.scale: expected \['batch', 1\] with lengths of 1 or more, found \[0, 1\]"),
        ({"image": [2, 3, 8, 8], "scale": [3, 1]}, r"shapes.scale: expected .* with batch = 2, found \[3, 1\]"),
    ],
)
def test_impossible_shapes_are_told(shapes, message):
    with pytest.raises(ModelportError, match=message) as caught:
        shapes_of(**shapes)
    assert caught.value.reason is Reason.INVALID_SPEC
