"""Every converter that the formats name has its module, in the order of the alphabet."""

import importlib.util

import modelport_converter.converters as package
from modelport.formats import CONVERTERS


def test_each_converter_has_one_module():
    assert [name for name, _ in package.MODULES] == sorted(CONVERTERS)
    for _, module in package.MODULES:
        assert importlib.util.find_spec(f"{package.__name__}.{module}") is not None
