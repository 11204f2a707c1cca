"""Every converter and every format has its module, and a source that a format needs built twice is."""

import importlib.util
import types
from pathlib import Path

import pytest

import modelport_converter.converters as package
from builders import convert_request
from modelport.contract import ModelportError
from modelport.formats import CONVERTERS, FORMATS
from modelport.reasons import Reason
from modelport.verification.source import Source
from modelport_converter.converters.job import SourceJob


def test_each_converter_and_each_format_has_one_module():
    assert set(package.MODULES) == set(CONVERTERS)
    assert set(package.SOURCES) == set(FORMATS)
    for module in {*package.MODULES.values(), *package.SOURCES.values()}:
        assert importlib.util.find_spec(f"{package.__name__}.{module}") is not None


@pytest.fixture
def opened(monkeypatch):
    """Open a source of a format, whose framework returns this one."""

    def open_one(format_name, source):
        module = types.SimpleNamespace(open_source=lambda _job: source)
        monkeypatch.setattr(package.importlib, "import_module", lambda _name: module)
        return package.open_source(SourceJob(convert_request(source_format=format_name), Path(), Path()))

    return open_one


@pytest.mark.parametrize("name", [name for name, each in FORMATS.items() if not each.holds_graph])
def test_a_file_of_weights_alone_is_built_twice_or_not_at_all(opened, name):
    with pytest.raises(ModelportError, match="built twice") as caught:
        opened(name, Source([], lambda inputs: inputs))
    assert caught.value.reason is Reason.STEP_CRASHED
    twice = Source([], lambda inputs: inputs, rebuild=lambda: lambda inputs: inputs)
    assert opened(name, twice) is twice


@pytest.mark.parametrize("name", [name for name, each in FORMATS.items() if each.holds_graph])
def test_a_file_that_holds_the_graph_is_complete_by_itself(opened, name):
    source = Source([], lambda inputs: inputs)
    assert opened(name, source) is source


def test_a_format_that_the_image_does_not_have_is_told():
    with pytest.raises(ModelportError, match=r"caffe: this image does not have it, only onnx"):
        package.prepare_source("caffe")
