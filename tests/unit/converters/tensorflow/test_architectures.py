"""Architectures of Keras that no Keras wrote."""

import pytest

from modelport_converter.frameworks.tensorflow.keras.architectures import find_code


@pytest.mark.parametrize("kind", [[], {}, ["Lambda"], {"a": 1}, None, 1])
def test_a_class_that_is_no_name_is_no_function(kind):
    assert find_code({"class_name": kind, "config": {"name": "first"}, "module": kind}) == []
